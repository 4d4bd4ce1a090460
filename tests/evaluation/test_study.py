"""An evaluation from end to end: truth against itself is perfect, planted errors give the planted numbers.

Errors are planted in the readings, so that the lake stays the truth; what must come out is counted from the plan, not
by the code under test.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.readings import Row, metric, reading, readings_of, settings, small_lake, write_csv
from vfscreen.evaluation.metric import EvaluationError
from vfscreen.evaluation.study import Evaluation, evaluate
from vfscreen.lake.store import Lake

Against = Callable[..., Evaluation]
PROPORTIONS = ("sensitivity", "specificity", "ppv", "npv", "precision", "accuracy")
VERTEBRA = {"level": "vertebra", "analysis": "per_protocol", "target": "grade>=2"}


def graded(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["sq_grade_reader"] is not None]


def changed(rows: list[Row], which: list[Row], **values: Any) -> list[Row]:
    chosen = {id(row) for row in which}
    return [{**row, **values} if id(row) in chosen else row for row in rows]


def test_truth_against_itself_is_perfect(against: Against, truth_readings: list[Row]) -> None:
    found = against(truth_readings)
    for row in found.tables["metrics"]:
        if (
            row["name"] in (*PROPORTIONS, "f1", "auc", "average_precision", "brier_skill")
            and row["estimate"] is not None
        ):
            assert row["estimate"] == 1.0, row
        if row["name"] in ("brier", "expected_calibration_error", "false_positives_per_patient"):
            assert row["estimate"] == 0.0, row
    assert all(row["fp"] == row["fn"] == row["unevaluable"] == 0 for row in found.tables["confusion"])
    assert all(row["reference_grade"] == row["lake_grade"] for row in found.tables["grades"] if row["n"])
    assert all(row["estimate"] == pytest.approx(1.0) for row in found.tables["kappa"])
    assert found.tables["extra_vertebrae"] == []
    for row in found.tables["bland_altman"][:4]:
        assert row["n"] >= len([r for r in graded(truth_readings) if r["anterior_height_mm"] is not None]) > 50
        assert max(abs(row["bias"]), row["sd"], abs(row["low"]), abs(row["high"])) < 1e-9
    sensitivity = metric(found.tables["metrics"], "sensitivity", **VERTEBRA)
    positives = sum(row["sq_grade_reader"] >= 2 for row in graded(truth_readings))
    assert sensitivity["denominator"] == sensitivity["numerator"] == positives > 5


def test_planted_false_negatives_and_positives_are_the_rates(against: Against, truth_readings: list[Row]) -> None:
    """Readings raised to grade 3 are what the lake misses; readings lowered to 0 are what it flags wrongly."""
    positive = [row for row in truth_readings if (row["sq_grade_reader"] or 0) >= 2]
    negative = [row for row in graded(truth_readings) if row["sq_grade_reader"] < 1]
    missed, flagged = negative[:7], positive[:3]
    rows = changed(changed(truth_readings, missed, sq_grade_reader=3), flagged, sq_grade_reader=0)
    found = against(rows)
    tp, fp, fn = len(positive) - 3, 3, 7
    tn = len(graded(truth_readings)) - len(positive) - 7
    table = next(r for r in found.tables["confusion"] if all(r[k] == v for k, v in VERTEBRA.items()))
    assert (table["tp"], table["fp"], table["fn"], table["tn"]) == (tp, fp, fn, tn)
    wanted = {
        "sensitivity": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "ppv": tp / (tp + fp),
        "npv": tn / (tn + fn),
        "accuracy": (tp + tn) / (tp + fp + fn + tn),
        "f1": 2 * tp / (2 * tp + fp + fn),
    }
    for name, value in wanted.items():
        assert metric(found.tables["metrics"], name, **VERTEBRA)["estimate"] == pytest.approx(value)
    # the lake's probabilities are 0 or 1 here: the area is that of a single point, (sens + spec) / 2
    area = metric(found.tables["metrics"], "auc", **VERTEBRA)
    assert area["estimate"] == pytest.approx((wanted["sensitivity"] + wanted["specificity"]) / 2)
    assert metric(found.tables["metrics"], "brier", **VERTEBRA)["estimate"] == pytest.approx((fp + fn) / table_n(table))
    cells = {
        (r["reference_grade"], r["lake_grade"]): r["n"] for r in found.tables["grades"] if r["level"] == "vertebra"
    }
    assert cells[(3, 0)] == 7


def table_n(table: Row) -> int:
    return int(table["tp"] + table["fp"] + table["fn"] + table["tn"])


def test_planted_missed_and_extra_vertebrae_are_counted(against: Against, truth_readings: list[Row]) -> None:
    """Readings of levels that the lake lacks are missed; levels left out by the reader are extra."""
    series = truth_readings[0]["SeriesInstanceUID"]
    own = sorted((r for r in truth_readings if r["SeriesInstanceUID"] == series), key=lambda r: r["vertebra_level"])
    absent = next(level for level in ("L6", "T13", "C1") if level not in {r["vertebra_level"] for r in own})
    rows = [r for r in truth_readings if r is not own[len(own) // 2]]
    rows.append({**own[0], "vertebra_level": absent, "sq_grade_reader": 3, "anterior_height_mm": None,
                 "middle_height_mm": None, "posterior_height_mm": None})  # fmt: skip
    found = against(rows)
    assert [p["reason"] for p in found.tables["vertebra_pairs"]].count("missed") == 1
    assert [x["vertebra_level"] for x in found.tables["extra_vertebrae"]] == [own[len(own) // 2]["vertebra_level"]]
    rates = {
        a: metric(found.tables["metrics"], "sensitivity", **{**VERTEBRA, "analysis": a})
        for a in ("per_protocol", "intention_to_screen", "worst_case")
    }
    assert rates["per_protocol"]["estimate"] == 1.0
    positives = rates["per_protocol"]["denominator"]
    assert rates["intention_to_screen"]["estimate"] == pytest.approx(positives / (positives + 1))
    assert rates["worst_case"]["estimate"] == pytest.approx(positives / (positives + 1))


def test_planted_height_errors_are_the_limits_of_agreement(against: Against, truth_readings: list[Row]) -> None:
    """The reader measures 1 mm less in one half of the vertebrae and 2 mm more in the other."""
    shifts = [-1.0 if i % 2 else 2.0 for i in range(len(truth_readings))]
    rows = [
        {**r, "anterior_height_mm": None if r["anterior_height_mm"] is None else r["anterior_height_mm"] + s}
        for r, s in zip(truth_readings, shifts, strict=True)
    ]
    planted = [-s for r, s in zip(truth_readings, shifts, strict=True) if r["anterior_height_mm"] is not None]
    row = against(rows).tables["bland_altman"][0]
    assert row["measurement"] == "anterior_height_mm"
    assert row["n"] == len(planted)
    assert row["bias"] == pytest.approx(sum(planted) / len(planted))
    assert row["mean_absolute_difference"] == pytest.approx(sum(map(abs, planted)) / len(planted))
    # differences of -2 and +1 in equal shares spread by 1.5 mm, nearly all of it within patients
    assert row["sd"] == pytest.approx(1.5, rel=0.06)
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * row["sd"], rel=1e-3)


def test_kappa_falls_with_every_planted_disagreement(against: Against, truth_readings: list[Row]) -> None:
    def kappa(n: int) -> float:
        worse = changed(truth_readings, graded(truth_readings)[:n], sq_grade_reader=3)
        rows = against(worse).tables["kappa"]
        return float(metric(rows, "quadratic_weighted_kappa", level="vertebra")["estimate"])

    assert kappa(0) > kappa(10) > kappa(40)


def test_studies_that_are_not_in_the_lake_are_counted_against_it(against: Against, truth_readings: list[Row]) -> None:
    rows = [*truth_readings, *({**truth_readings[0], **reading(n, "L1", 3)} for n in (901, 902))]
    for row in rows[-2:]:
        row |= {"SeriesInstanceUID": None, "reader": "truth"}
    found = against(rows)
    absent = [r for r in found.tables["flow"] if (r["of_what"], r["detail"]) == ("study", "not in the lake")]
    assert [r["n"] for r in absent] == [2]
    patients = {"level": "patient", "target": "grade>=2"}
    before = metric(found.tables["metrics"], "sensitivity", analysis="per_protocol", **patients)
    after = metric(found.tables["metrics"], "sensitivity", analysis="intention_to_screen", **patients)
    assert before["estimate"] == 1.0
    assert after["denominator"] == before["denominator"] + 2
    assert after["numerator"] == before["numerator"]


def test_every_number_names_its_source_and_none_is_not_a_number(against: Against, truth_readings: list[Row]) -> None:
    found = against(truth_readings)
    listed = ("measurements", "vertebra_pairs", "patient_pairs", "extra_vertebrae")
    for name, rows in found.tables.items():
        for row in rows:
            assert name in listed or row.get("source", "").startswith("vfscreen.evaluation."), (name, row)
            assert all(not isinstance(v, float) or math.isfinite(v) for v in row.values()), (name, row)
    assert set(found.provenance["queries"]) == {"exams", "findings", "runs"}


def test_the_same_readings_give_the_same_tables(against: Against, truth_readings: list[Row]) -> None:
    again = against(list(reversed(truth_readings))).tables
    tables = against(truth_readings).tables
    for name in ("metrics", "confusion", "grades", "kappa", "subgroups"):
        assert again[name] == tables[name], name


def test_a_threshold_of_other_patients(tmp_path: Path) -> None:
    """Tuning patients part at 0.18 (a loss of 0.3); of the others one positive lies below, one negative above."""
    lake = small_lake(
        tmp_path / "lake", {n: (loss,) for n, loss in enumerate((0.3, 0.35, 0.1, 0.12, 0.5, 0.2, 0.31, 0.05))}
    )
    tune = write_csv(tmp_path / "tune.csv", readings_of({0: (2,), 1: (2,), 2: (0,), 3: (0,)}))
    test = write_csv(tmp_path / "test.csv", readings_of({4: (3,), 5: (2,), 6: (0,), 7: (0,)}))
    found = evaluate(lake.url, [test], settings(grade_targets=(2,)), tuning_reference=[tune])
    row = metric(found.tables["threshold"], "sensitivity", level="patient", analysis="per_protocol")
    assert row["threshold"] == pytest.approx(0.6 * 0.3)
    assert (row["tuning_sensitivity"], row["tuning_specificity"], row["chosen_on"]) == (1.0, 1.0, 4)
    assert row["estimate"] == 0.5
    assert metric(found.tables["threshold"], "specificity", level="patient")["estimate"] == 0.5
    with pytest.raises(EvaluationError, match="4 patient"):
        evaluate(lake.url, [test], settings(), tuning_reference=[test])


def test_subgroups_hold_everyone_and_missing_is_unknown(tmp_path: Path) -> None:
    lake = small_lake(
        tmp_path / "lake",
        {n: (0.3 if n % 2 else 0.0,) for n in range(8)},
        PatientAge_years=(45.0, 49.9, 50.0, 79.9, 80.0, None, None, 61.0),
        PatientSex=("F", "F", "M", "M", "F", None, "F", "O"),
        InstitutionName=("A", "A", "B", None, None, None, "A", "B"),
        SliceThickness_mm=(1.0, 1.5, 3.0, None, 5.0, 1.25, 2.0, 1.0),
        ContrastBolusAgent=("agent",) + (None,) * 7,
    )
    path = write_csv(tmp_path / "r.csv", readings_of({n: (2 if n % 2 else 0,) for n in range(8)}))
    rows = evaluate(lake.url, [path], settings(grade_targets=(2,))).tables["subgroups"]
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        if row["level"] == "patient":
            counts.setdefault(row["grouping"], {})[row["group"]] = row["patients"]
    assert counts["age"] == {
        "< 50 years": 2, "50 to < 60 years": 1, "60 to < 70 years": 1, "70 to < 80 years": 1, ">= 80 years": 1,
        "unknown": 2,
    }  # fmt: skip
    assert counts["sex"] == {"F": 4, "M": 2, "O": 1, "unknown": 1}
    assert counts["site"] == {"A": 3, "B": 2, "unknown": 3}
    assert counts["slice_thickness"] == {"< 1.5 mm": 3, "1.5 to < 3 mm": 2, ">= 3 mm": 2, "unknown": 1}
    assert counts["contrast"] == {"agent named in header": 1, "unknown": 7}
    assert all(sum(groups.values()) == 8 for groups in counts.values())
    small = [r for r in rows if r["group"] == "O"]
    assert all(r["estimate"] is None and r["reason"] == "fewer than 2 patients" for r in small)


def test_nothing_to_compare_is_an_error(truth_lake: Lake, truth_readings: list[Row], tmp_path: Path) -> None:
    path = write_csv(tmp_path / "r.csv", changed(truth_readings, truth_readings, sq_grade_reader=None))
    with pytest.raises(EvaluationError, match="nothing can be compared"):
        evaluate(truth_lake.url, [path], settings())


def test_re_read_sheets_of_an_audit_are_weighted(tmp_path: Path) -> None:
    """Two studies are flagged rightly; one is ill, not flagged and stands for four; three stand for five."""
    lake = small_lake(tmp_path / "lake", {n: (0.3 if n < 2 else 0.0,) for n in range(6)})
    rows = [
        row
        for n in range(6)
        for row in readings_of({n: (2 if n < 3 else 0,)}, stratum="s", weight=(1, 1, 4, 5, 5, 5)[n])
    ]
    found = evaluate(lake.url, [write_csv(tmp_path / "r.csv", rows)], settings(grade_targets=(2,)))
    weighted = metric(found.tables["weighted_metrics"], "sensitivity", level="patient", analysis="per_protocol")
    assert weighted["estimate"] == pytest.approx(2 / 6)
    assert metric(found.tables["metrics"], "sensitivity", level="patient")["estimate"] == pytest.approx(2 / 3)
    assert any("drawn by strata" in note for note in found.notes)
    for row in rows[:1]:
        row["weight"] = None
    found = evaluate(lake.url, [write_csv(tmp_path / "r.csv", rows)], settings(grade_targets=(2,)))
    assert found.tables["weighted_metrics"] == []
    assert any("some do not" in note for note in found.notes)
