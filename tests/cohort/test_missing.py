"""What headers lack is 'unknown' in every count and null in every listing, and never passes what asks of it."""

from __future__ import annotations

from typing import Any

import pytest

from vfscreen.cohort.filter import CohortFilter
from vfscreen.cohort.queries import open_cohort, run_sql
from vfscreen.lake.store import Lake


def ask(lake: Lake, name: str, **values: Any) -> list[dict[str, Any]]:
    with open_cohort(lake, prepared=False) as cohort:
        return cohort.ask(name, CohortFilter.of(**values)).rows()


COLUMN_OF = {"age": "age_band", "sex": "PatientSex", "site": "InstitutionName", "year": "study_year"}


@pytest.fixture(scope="module")
def exams(drawn_lake: Lake) -> list[dict[str, Any]]:
    """Every exam, from the plain view."""
    return run_sql(drawn_lake, "FROM exams").rows()


@pytest.mark.parametrize(
    ("by", "header"),
    [("age", "PatientAge_years"), ("sex", "PatientSex"), ("site", "InstitutionName"), ("year", "study_date")],
)
def test_groups_count_the_missing_as_unknown(
    drawn_lake: Lake, exams: list[dict[str, Any]], by: str, header: str
) -> None:
    latest: dict[str, dict[str, Any]] = {}
    latest_ct: dict[str, dict[str, Any]] = {}
    for exam in sorted(exams, key=lambda e: e["exam_order"]):
        latest[exam["patient_key"]] = exam
        if exam["Modality"] == "CT":
            latest_ct[exam["patient_key"]] = exam
    for name, counts in (
        ("prevalence", ("patients", "patients_not_graded")),
        ("sdi", ("patients", "patients_not_assessed")),
        ("density", ("patients",)),
    ):
        chosen = latest_ct if name == "density" else latest
        missing = sum(e[header] is None for e in chosen.values())
        rows = ask(drawn_lake, name, by=(by,))
        unknown = sum(row[c] for row in rows if row[COLUMN_OF[by]] == "unknown" for c in counts)
        assert unknown == missing, name
        assert sum(row[c] for row in rows for c in counts) == len(chosen)
    assert any(e[header] is None for e in exams)


@pytest.mark.parametrize(
    ("asked", "header", "step"),
    [
        ({"age_min": 0}, "PatientAge_years", "age"),
        ({"sex": ("F", "M", "O")}, "PatientSex", "sex"),
        ({"date_from": "1900-01-01"}, "study_date", "study date"),
        ({"contrast": ("non_contrast", "arterial", "portal_venous", "delayed")}, "contrast_phase", "contrast"),
    ],
)
def test_a_filter_that_everybody_known_passes_leaves_out_the_missing_and_counts_them(
    drawn_lake: Lake, exams: list[dict[str, Any]], asked: dict[str, Any], header: str, step: str
) -> None:
    missing = sum(e[header] is None for e in exams)
    assert missing
    listed = ask(drawn_lake, "cohort", exams="all", **asked)
    assert len(listed) == len(exams) - missing
    flow = {(r["step"], r["reason"]): r["item_count"] for r in ask(drawn_lake, "flow", exams="all", **asked)}
    assert flow[step, "missing"] == missing
    assert (step, "not asked for") not in flow


def test_unknown_can_be_asked_for(drawn_lake: Lake, exams: list[dict[str, Any]]) -> None:
    found = ask(drawn_lake, "cohort", exams="all", sex=("unknown",))
    assert len(found) == sum(e["PatientSex"] is None for e in exams) > 0
    assert {r["PatientSex"] for r in found} == {None}


def test_an_unknown_density_is_neither_below_nor_not_below(drawn_lake: Lake, exams: list[dict[str, Any]]) -> None:
    rows = {r["density_class"]: r for r in ask(drawn_lake, "density", by=(), density_below_hu=110.0, exams="first")}
    scans = sorted((e for e in exams if e["Modality"] == "CT"), key=lambda e: -e["exam_order"])
    first = list({e["patient_key"]: e for e in scans}.values())
    values = [e["density_reference_hu_corrected"] for e in first]
    assert rows["unknown"]["patients"] == sum(v is None for v in values) > 0
    assert rows["below"]["patients"] == sum(v is not None and v < 110 for v in values)
    assert rows["unknown"]["class_share"] is None


def test_studies_without_patient_id_are_patients_of_their_own(drawn_lake: Lake, exams: list[dict[str, Any]]) -> None:
    nameless = [e for e in exams if e["patient_pseudonym"] is None]
    assert len({e["patient_key"] for e in nameless}) == len(nameless) > 0
    flow = {r["step"]: r["item_count"] for r in ask(drawn_lake, "flow")}
    assert flow["without PatientID, a patient a study"] == len(nameless)
