"""Every named query on the truth of the demo archive equals the truth counted in Python."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from statsmodels.stats.proportion import proportion_confint

from tests.cohort.expected import Exam, is_graded, latest
from vfscreen.cohort.filter import CohortFilter, FilterError
from vfscreen.cohort.queries import open_cohort, run_named
from vfscreen.errors import FileState
from vfscreen.schema.names import LEVELS, SDI_LEVELS
from vfscreen.synthesis.truth import DemoTruth
from vfscreen.synthesis.truth_lake import TruthLake

Pair = tuple[TruthLake, DemoTruth]


def ask(truth_lake: Pair, name: str, **values: Any) -> list[dict[str, Any]]:
    with open_cohort(truth_lake[0].lake) as cohort:
        return cohort.ask(name, CohortFilter.of(**values)).rows()


@pytest.mark.parametrize(
    ("by", "key"),
    [
        (("age", "sex"), lambda e: (e.band, e.sex, "all", "all")),
        (("year",), lambda e: ("all", "all", "all", str(e.day.year))),
        (("site",), lambda e: ("all", "all", "Synthetic General Hospital", "all")),
        ((), lambda e: ("all", "all", "all", "all")),
    ],
)
@pytest.mark.parametrize("grade_min", [1, 2, 3])
def test_prevalence(truth_lake: Pair, expected: list[Exam], by: Any, key: Any, grade_min: int) -> None:
    found = ask(truth_lake, "prevalence", by=by, grade_min=grade_min)
    names = ("age_band", "PatientSex", "InstitutionName", "study_year")
    groups = Counter(key(e) for e in latest(expected))
    assert [tuple(r[n] for n in names) for r in found] == sorted(groups)
    for row in found:
        mine = [e for e in latest(expected) if key(e) == tuple(row[n] for n in names)]
        k, n = sum(e.worst >= grade_min for e in mine), len(mine)
        assert (row["patients"], row["fractured_patients"], row["patients_not_graded"]) == (n, k, 0)
        assert [row[f"patients_grade{g}"] for g in (1, 2, 3)] == [sum(e.worst >= g for e in mine) for g in (1, 2, 3)]
        low, high = proportion_confint(k, n, method="wilson")
        assert row["prevalence"] == k / n
        assert math.isclose(row["prevalence_low"], low, abs_tol=1e-9)
        assert math.isclose(row["prevalence_high"], high, abs_tol=1e-9)


def test_levels(truth_lake: Pair, expected: list[Exam]) -> None:
    found = {r["vertebra_level"]: r for r in ask(truth_lake, "levels", grade_min=1)}
    seen = [v for e in latest(expected) for v in e.vertebrae]
    assert list(found) == [level for level in LEVELS if any(v.vertebra_level == level for v in seen)]
    for level, row in found.items():
        mine = [v for v in seen if v.vertebra_level == level]
        graded = [v.genant_grade_raw for v in mine if is_graded(v)]
        assert (row["vertebrae"], row["graded"]) == (len(mine), len(graded))
        assert row["truncated"] == sum(v.truncated for v in mine)
        assert row["grade2_or_more"] == sum(g >= 2 for g in graded)
        assert row["fractured"] == row["grade1_or_more"] == sum(g >= 1 for g in graded)
        if graded:
            raw = [v.height_loss_ratio_raw for v in mine if is_graded(v)]
            # a perfect reading of a film is of the projected points: a loss may differ by less than a point
            assert math.isclose(row["mean_height_loss_ratio_raw"], sum(raw) / len(raw), abs_tol=0.01)
            low, high = proportion_confint(row["fractured"], row["graded"], method="wilson")
            assert math.isclose(row["fractured_share_low"], low, abs_tol=1e-9)
            assert math.isclose(row["fractured_share_high"], high, abs_tol=1e-9)
        else:
            assert row["fractured_share"] is None


def test_grades(truth_lake: Pair, expected: list[Exam]) -> None:
    found = ask(truth_lake, "grades")
    seen = [v for e in latest(expected) for v in e.vertebrae]
    graded = Counter((v.genant_grade_raw, v.deformity_type) for v in seen if is_graded(v))
    assert {
        (r["genant_grade"], r["deformity_type"]): r["vertebrae"] for r in found if r["reason_code"] is None
    } == graded
    reasons = Counter("truncated" if v.truncated else "level_not_graded" for v in seen if not is_graded(v))
    assert {r["reason_code"]: r["vertebrae"] for r in found if r["reason_code"]} == reasons
    assert math.isclose(sum(r["share"] for r in found if r["share"] is not None), 1.0)


def test_sdi(truth_lake: Pair, expected: list[Exam]) -> None:
    found = {(r["age_band"], r["PatientSex"]): r for r in ask(truth_lake, "sdi")}
    mine: dict[tuple[str, str], list[Exam]] = {}
    for exam in latest(expected):
        mine.setdefault((exam.band, exam.sex), []).append(exam)
    assert found.keys() == mine.keys()
    for group, exams in mine.items():
        values = [e.sdi for e in exams]
        row = found[group]
        assert (row["patients"], row["max_sdi"], row["sdi_0"]) == (len(values), max(values), values.count(0))
        assert math.isclose(row["mean_sdi"], sum(values) / len(values))
        levels = [sum(v.vertebra_level in SDI_LEVELS for v in e.graded) for e in exams]
        assert math.isclose(row["mean_sdi_levels"], sum(levels) / len(levels))
        assert row["patients_all_levels"] == levels.count(13)


def test_incident(truth_lake: Pair, expected: list[Exam]) -> None:
    (row,) = ask(truth_lake, "incident")
    years, pairs, incident = 0.0, 0, []
    # CT with CT, films with films
    in_kind = sorted(expected, key=lambda e: (e.PatientID, e.modality == "CT", e.day))
    for before, after in pairwise(in_kind):
        if before.PatientID != after.PatientID or (before.modality == "CT") != (after.modality == "CT"):
            continue
        years += (after.day - before.day).days / 365.25
        for level in (*SDI_LEVELS, "T1", "T2", "T3", "L5"):
            a, b = before.grade_of(level), after.grade_of(level)
            if a is not None and b is not None:
                pairs += 1
                incident += [level] if a < 2 <= b else []
    assert sorted(incident) == ["T12", "T7"]  # planted in the cast's second patient
    assert (row["patients"], row["intervals"], row["intervals_not_paired"]) == (1, 1, 0)
    assert math.isclose(row["person_years"], years)
    assert (row["vertebra_pairs"], row["incident_vertebrae"], row["incident_patients"]) == (pairs, 2, 1)
    assert (row["vanished_vertebrae"], row["worsened_vertebrae"], row["pairs_level_uncertain"]) == (0, 0, 0)
    assert row["rate_per_1000_person_years"] is None  # an event in every interval: only a lower limit
    # the lower limit: chi2(1) at 95 % / 2 below certainty, log(1 - exp(-r t)) = -1.92
    assert math.isclose(1 - math.exp(-row["rate_low"] / 1000 * years), math.exp(-3.841458820694124 / 2), rel_tol=1e-6)


def test_density_by_fracture(truth_lake: Pair, expected: list[Exam]) -> None:
    """L1 alone; patients whose L1 is broken or out of view are unknown, and counted."""
    scans = latest(e for e in expected if e.modality == "CT")  # films have no density
    values = [e.density_hu for e in scans]
    border = sorted(v for v in values if v is not None)[1]
    found = {r["density_class"]: r for r in ask(truth_lake, "density", by=(), l1_only=True, density_below_hu=border)}
    classes: dict[str, list[Exam]] = {}
    for exam, hu in zip(scans, values, strict=True):
        name = "unknown" if hu is None else "below" if hu < border else "not_below"
        classes.setdefault(name, []).append(exam)
    assert found.keys() == classes.keys() == {"below", "not_below", "unknown"}
    for name, exams in classes.items():
        row = found[name]
        assert (row["patients"], row["graded_patients"]) == (len(exams), len(exams))
        assert row["fractured_patients"] == sum(e.worst >= 2 for e in exams)
        known = [e.density_hu for e in exams if e.density_hu is not None]
        assert (row["mean_density_hu"] is None) == (not known)
        if known:
            assert math.isclose(row["mean_density_hu"], sum(known) / len(known))
            assert math.isclose(row["class_share"], len(known) / sum(v is not None for v in values))


def test_density_categories_are_the_lakes(truth_lake: Pair, expected: list[Exam]) -> None:
    found = ask(truth_lake, "density", by=())
    scans = latest(e for e in expected if e.modality == "CT")
    assert sum(r["patients"] for r in found) == len(scans)
    assert sum(r["fractured_patients"] for r in found) == sum(e.worst >= 2 for e in scans)
    with pytest.raises(FilterError, match="modality"):
        ask(truth_lake, "density", modality=("DX",))
    names = ("osteoporosis_range", "low", "normal", "unknown")
    assert [r["density_class"] for r in found] == [n for n in names if n in {r["density_class"] for r in found}]


def test_cohort_and_worklist(truth_lake: Pair, expected: list[Exam]) -> None:
    lake = truth_lake[0]
    found = {r["patient_key"]: r for r in ask(truth_lake, "cohort")}
    assert found.keys() == {lake.patient(e.PatientID) for e in expected}
    for exam in latest(expected):
        row = found[lake.patient(exam.PatientID)]
        assert (row["StudyInstanceUID"], row["study_date"]) == (exam.StudyInstanceUID, exam.day)
        assert (row["PatientAge_years"], row["PatientSex"], row["max_genant_grade"]) == (exam.age, exam.sex, exam.worst)
        assert row["sdi"] == exam.sdi
        deformed = [v.vertebra_level for v in exam.graded if v.genant_grade_raw >= 1]
        assert row["fractured_levels"].split() == deformed
        assert row["exam_count"] == sum(e.PatientID == exam.PatientID for e in expected)
        assert (row["scanner"], row["ConvolutionKernel"]) == (exam.scanner, exam.kernel)
    places = ask(truth_lake, "worklist")
    assert [r["place"] for r in places] == list(range(1, len(found) + 1))
    certain = [r["patient_key"] for r in places if r["grade2_probability"] == 1.0]
    assert set(certain) == {lake.patient(e.PatientID) for e in latest(expected) if e.worst >= 2}
    assert [r["patient_key"] for r in places[: len(certain)]] == certain


@pytest.mark.parametrize(
    ("values", "passes"),
    [
        ({"sex": ("F",)}, lambda e: e.sex == "F"),
        ({"modality": ("CT",)}, lambda e: e.modality == "CT"),
        ({"modality": ("CR", "DX")}, lambda e: e.modality != "CT"),
        ({"age_min": 66, "age_max": 77}, lambda e: 66 <= e.age <= 77),
        ({"grade_min": 2}, lambda e: e.worst >= 2),
        ({"date_from": date(2022, 1, 1)}, lambda e: e.day.year > 2021),
        ({"scanner": ("synthetic ge-like",)}, lambda e: "GE-LIKE" in e.scanner),
        ({"site": ("elsewhere",)}, lambda e: False),
        ({"contrast": ("non_contrast",)}, lambda e: e.contrast_phase == "non_contrast"),
        ({"density_below_hu": 110.0, "l1_only": True}, lambda e: e.density_hu is not None and e.density_hu < 110),
        ({"levels": ("L1", "L2"), "grade_min": 3}, lambda e: any((e.grade_of(v) or 0) >= 3 for v in ("L1", "L2"))),
    ],
)  # fmt: skip
def test_filters_select_the_patients_that_pass(
    truth_lake: Pair, expected: list[Exam], values: Any, passes: Any
) -> None:
    """Filters on exams come first, then the latest of those, then what was found on it."""
    on_findings = {"grade_min", "levels", "density_below_hu"}
    exams = expected if on_findings & values.keys() else [e for e in expected if passes(e)]
    wanted = {truth_lake[0].patient(e.PatientID) for e in latest(exams) if passes(e)}
    assert {r["patient_key"] for r in ask(truth_lake, "cohort", **values)} == wanted


def test_women_of_65_to_80_with_low_density_or_a_fracture(truth_lake: Pair, expected: list[Exam]) -> None:
    """The question of the issue: women 65-80, L1 < 110 HU or any grade >= 2, no contrast, 2019-2024."""
    question = {"sex": ("F",), "age_min": 65, "age_max": 80, "contrast": ("non_contrast",), "match": "any",
                "date_from": date(2019, 1, 1), "date_to": date(2024, 12, 31)}  # fmt: skip
    asked = [e for e in expected if e.sex == "F" and 65 <= e.age <= 80 and e.contrast_phase == "non_contrast"]
    assert len(asked) > 1
    for border in (90.0, 110.0, 140.0):
        wanted = {
            truth_lake[0].patient(e.PatientID)
            for e in latest(asked)
            if e.worst >= 2 or (e.density_hu is not None and e.density_hu < border)
        }
        found = ask(truth_lake, "cohort", **question, density_below_hu=border, l1_only=True, grade_min=2)
        assert {r["patient_key"] for r in found} == wanted
    both = ask(truth_lake, "cohort", **{**question, "match": "all"}, density_below_hu=140.0, l1_only=True, grade_min=2)
    assert {r["patient_key"] for r in both} == {
        truth_lake[0].patient(e.PatientID) for e in latest(asked) if e.worst >= 2 and (e.density_hu or 999) < 140
    }


def test_flow_adds_up_from_files_to_vertebrae(truth_lake: Pair, expected: list[Exam]) -> None:
    truth = truth_lake[1]
    found = ask(truth_lake, "flow", sex=("F",))
    for unit in ("files", "series", "exams", "patients", "vertebrae"):
        counts = Counter(dict.fromkeys(("all", "excluded", "kept"), 0))
        for row in (r for r in found if r["unit"] == unit):
            counts[row["kind"]] += row["item_count"]
        assert counts["all"] == counts["excluded"] + counts["kept"], unit
    steps = {(r["step"], r["reason"]): r["item_count"] for r in found}
    assert steps["files and zip members seen", None] == sum(truth.files.values())
    assert steps["DICOM instances", None] == truth.files[FileState.INSTANCE.value]
    reasons = Counter(s.expected_reason for s in truth.series if s.expected_reason)
    # a film that is not lateral is a step of its own unit; series are compared with series
    rejected = {r["reason"]: r["item_count"] for r in found if (r["step"], r["unit"]) == ("rejected", "series")}
    assert rejected == reasons
    men = [e for e in expected if e.sex == "M"]
    assert steps["sex", "not asked for"] == len(men)
    women = latest(e for e in expected if e.sex == "F")
    assert steps["patients analysed", None] == len(women)
    assert steps["with a fracture", None] == sum(e.worst >= 2 for e in women)
    assert steps["vertebrae graded", None] == sum(len(e.graded) for e in women)
    assert steps["fractured", None] == sum(v.genant_grade_raw >= 2 for e in women for v in e.graded)


def test_drift(truth_lake: Pair, expected: list[Exam]) -> None:
    found = ask(truth_lake, "drift")
    groups: dict[tuple[str, str, str], list[Exam]] = {}
    for exam in expected:
        groups.setdefault((str(exam.day.year), exam.scanner, exam.kernel or "unknown"), []).append(exam)
    rows = {(r["study_year"], r["scanner"], r["ConvolutionKernel"]): r for r in found if r["exams"]}
    assert rows.keys() == groups.keys()
    for group, exams in groups.items():
        row = rows[group]
        graded = [v for e in exams for v in e.graded]
        assert (row["exams"], row["graded_vertebrae"]) == (len(exams), len(graded))
        assert math.isclose(row["grade2_share"], sum(v.genant_grade_raw >= 2 for v in graded) / len(graded))
        assert row["certain_share"] == row["mean_detection_probability"] == 1.0
    before, after = (rows[y, "SYNTHETIC GE-LIKE Phantom 64", "STANDARD"] for y in ("2021", "2023"))
    assert math.isclose(after["mean_loss_change"], after["mean_loss"] - before["mean_loss"])
    assert before["mean_loss_change"] is None
    truth = truth_lake[1]
    assert sum(r["series"] for r in found) == len(truth.series)
    films = [s for s in truth.series if s.films]
    assert sum(r["series"] for r in found if r["ConvolutionKernel"] == "unknown") >= len(films)
    assert sum(r["series_rejected"] for r in found) == sum(s.expected_state == "rejected" for s in truth.series)


def test_ct_and_films_of_a_patient_agree_as_the_truth_does(truth_lake: Pair, expected: list[Exam]) -> None:
    """Each film exam beside the patient's CT nearest in time, level by level, graded on both."""
    pairs = []
    for film in (e for e in expected if e.modality != "CT"):
        scans = [e for e in expected if e.modality == "CT" and e.PatientID == film.PatientID]
        near = min(scans, key=lambda e: (abs((e.day - film.day).days), e.day), default=None)
        if near is not None and (days := abs((near.day - film.day).days)) <= 365:
            pairs += [
                (v.vertebra_level, near.grade_of(v.vertebra_level), v.genant_grade_raw, days, film.PatientID)
                for v in film.graded
                if near.grade_of(v.vertebra_level) is not None
            ]
    assert len({p for *_, p in pairs}) == 4 and sum(g >= 2 for _, _, g, _, _ in pairs) >= 4
    found = {r["vertebra_level"]: r for r in ask(truth_lake, "agreement")}
    row = found["all"]
    assert (row["vertebra_pairs"], row["patients"], row["mixed_exams"]) == (len(pairs), 4, 0)
    assert row["same_grade"] == sum(a == b for _, a, b, _, _ in pairs)
    assert (row["both_fractured"], row["ct_only"], row["film_only"]) == (
        sum(int(a or 0) >= 2 and b >= 2 for _, a, b, _, _ in pairs),
        sum(int(a or 0) >= 2 > b for _, a, b, _, _ in pairs),
        sum(b >= 2 > int(a or 0) for _, a, b, _, _ in pairs),
    )
    assert row["max_days_apart"] == max(d for *_, d, _ in pairs)
    assert abs(row["mean_loss_difference"]) < 0.005 and row["sd_loss_difference"] < 0.01
    for level in {level for level, *_ in pairs}:
        assert found[level]["vertebra_pairs"] == sum(name == level for name, *_ in pairs)
    soon = ask(truth_lake, "agreement", days_max=60)[0]
    assert soon["vertebra_pairs"] == sum(d <= 60 for *_, d, _ in pairs) > 0
    assert next(iter(found)) == "all" and list(found)[1:] == [lv for lv in LEVELS if lv in found]


def test_vertebrae_reasons_and_runs(truth_lake: Pair, expected: list[Exam]) -> None:
    assert len(ask(truth_lake, "vertebrae")) == sum(len(e.vertebrae) for e in latest(expected))
    assert len(ask(truth_lake, "vertebrae", levels=("T12",), exams="all")) == sum(
        v.vertebra_level == "T12" for e in expected for v in e.vertebrae
    )
    reasons = ask(truth_lake, "reasons")
    assert sum(r["item_count"] for r in reasons if r["of_what"] == "series") == len(truth_lake[1].series)
    assert [r["run_id"] for r in run_named(truth_lake[0].lake, "runs").rows()] == ["truth-run"]
