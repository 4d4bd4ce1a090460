"""Named queries against numbers worked out by hand, and SQL that would do more than read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests.lake.builders import ended, land, manifest_row, put_index
from vfscreen.cohort.queries import QueryError, named_queries, run_named, run_sql
from vfscreen.lake.store import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Patients 0-9, women of 70 + n: 0, 1 and 2 with a grade 2 at T5; 3 with a grade 1; a man without age; and for
    patient 0 an older exam with a grade 3 that must not be counted."""
    lake = Lake.create(tmp_path / "lake")
    manifest = [manifest_row(n, PatientAge_years=70.0 + n % 10) for n in range(10)]
    manifest.append(manifest_row(10, PatientAge_years=None, PatientSex="M"))
    manifest.append(manifest_row(11, patient_pseudonym="P0", StudyDate="20100101"))
    losses = {0: 0.3, 1: 0.3, 2: 0.3, 3: 0.22, 11: 0.6}
    put_index(lake, manifest)
    land(lake, "s", [ended(m, (0.1, losses.get(n, 0.0))) for n, m in enumerate(manifest)])
    return lake


def rows(lake: Lake, name: str) -> list[dict[str, Any]]:
    return run_named(lake, name).rows()


def test_cohort_is_one_row_a_patient(lake: Lake) -> None:
    found = {r["patient_key"]: r for r in rows(lake, "cohort")}
    assert len(found) == len(rows(lake, "cohort")) == 11
    assert (found["P0"]["max_genant_grade"], found["P0"]["exam_count"]) == (2, 2)
    assert (found["P0"]["fractured_levels"], found["P0"]["fractured_vertebra_count"]) == ("T5", 1)
    assert (found["P4"]["fractured_levels"], found["P4"]["fractured_vertebra_count"]) == ("", 0)
    assert found["P3"]["sdi"] == 1
    assert found["P10"]["PatientAge_years"] is None


def test_prevalence_with_wilson_interval(lake: Lake) -> None:
    band, unknown = rows(lake, "prevalence")
    assert (band["age_band"], band["PatientSex"], band["patients"]) == ("70-79", "F", 10)
    assert (band["patients_grade1"], band["patients_grade2"]) == (4, 3)
    # Wilson 95 % for 3 of 10, a textbook value.
    assert math.isclose(band["prevalence_grade2_low"], 0.10779, abs_tol=1e-5)
    assert math.isclose(band["prevalence_grade2_high"], 0.60322, abs_tol=1e-5)
    assert (unknown["age_band"], unknown["PatientSex"], unknown["prevalence_grade2_low"]) == ("unknown", "M", 0)
    assert math.isclose(unknown["prevalence_grade2_high"], 0.79345, abs_tol=1e-5)


def test_levels_from_the_head_down(lake: Lake) -> None:
    t4, t5 = rows(lake, "levels")
    assert (t4["vertebra_level"], t4["graded"], t4["grade1_or_more"]) == ("T4", 11, 0)
    assert (t5["vertebra_level"], t5["grade1_or_more"], t5["grade2_or_more"]) == ("T5", 4, 3)


def test_grades_count_every_vertebra_of_the_latest_exams(lake: Lake) -> None:
    found = rows(lake, "grades")
    assert sum(r["vertebrae"] for r in found) == 22
    assert {r["genant_grade"]: r["vertebrae"] for r in found} == {0: 18, 1: 1, 2: 3}


def test_worklist_begins_with_the_most_probable(lake: Lake) -> None:
    found = rows(lake, "worklist")
    probabilities = [r["grade2_probability"] for r in found]
    assert probabilities == sorted(probabilities, reverse=True)
    assert [r["place"] for r in found] == list(range(1, 12))
    assert {r["patient_key"] for r in found[:3]} == {"P0", "P1", "P2"}


def test_reasons_hold_every_file_and_series(lake: Lake) -> None:
    found = rows(lake, "reasons")
    assert sum(r["item_count"] for r in found if r["of_what"] == "series") == 12
    assert sum(r["item_count"] for r in found if r["of_what"] == "file") == 25


def test_vertebrae_are_of_latest_exams(lake: Lake) -> None:
    assert len(rows(lake, "vertebrae")) == 22


def test_every_query_says_what_it_answers() -> None:
    assert all(len(q.description) > 20 for q in named_queries().values())


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO 'x.csv'",
        "DROP VIEW series",
        "CREATE TABLE t AS SELECT 1",
        "SELECT 1; SELECT 2",
        "ATTACH 'x.db'",
        "SELEC 1",
        "SELECT nothing FROM series",
        "",
    ],
)
def test_anything_but_one_select_is_refused(lake: Lake, tmp_path: Path, monkeypatch: Any, sql: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(QueryError):
        run_sql(lake, sql)
    assert {p.name for p in tmp_path.iterdir()} == {"lake"}
