"""Readers among themselves and against the lake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests.evaluation.readings import Row, metric, readings_of, settings, small_lake, write_csv
from vfscreen.evaluation.readers import mcnemar_test
from vfscreen.evaluation.study import Evaluation, evaluate

LOSSES = {n: (loss,) for n, loss in enumerate((0.45, 0.3, 0.28, 0.1, 0.0, 0.05, 0.3, 0.0, 0.12, 0.5, 0.02, 0.26))}
TRUE = {n: (grade,) for n, grade in enumerate((3, 2, 2, 0, 0, 0, 0, 0, 0, 3, 0, 2))}
"""The lake is right but for patient 6, whom it flags."""


def evaluated(folder: Path, rows: list[Row], rule: str) -> Evaluation:
    lake = small_lake(folder / "lake", LOSSES)
    return evaluate(lake.url, [write_csv(folder / "r.csv", rows)], settings(consensus=rule, grade_targets=(2,)))


def with_errors(*wrong: int) -> dict[int, tuple[int, ...]]:
    return {n: ((0 if g >= 2 else 2,) if n in wrong else (g,)) for n, (g,) in TRUE.items()}


def test_mcnemar_as_the_exact_binomial_test() -> None:
    """Ten discordant pairs, two of them one way: 2 * P(X <= 2), X binomial (10, 1/2): 0.109375."""
    first = np.array([True] * 8 + [False] * 2 + [True] * 20)
    second = np.array([False] * 8 + [True] * 2 + [True] * 20)
    found = mcnemar_test(first, second)
    assert (found["only_first"], found["only_second"]) == (8, 2)
    assert found["p_value"] == pytest.approx(0.109375)


@given(npst.arrays(np.bool_, st.tuples(st.integers(2, 2), st.integers(1, 30))))
def test_mcnemar_does_not_ask_who_comes_first(calls: np.ndarray) -> None:
    ahead, back = mcnemar_test(calls[0], calls[1]), mcnemar_test(calls[1], calls[0])
    assert ahead["p_value"] == pytest.approx(back["p_value"])
    assert mcnemar_test(calls[0], calls[0])["p_value"] == 1.0


def test_each_reader_has_the_rates_of_the_errors_planted(tmp_path: Path) -> None:
    rows = readings_of(TRUE, "expert") + readings_of(with_errors(0), "a") + readings_of(with_errors(3, 4), "b")
    found = evaluated(tmp_path, rows, "reader:expert").tables
    assert metric(found["readers"], "sensitivity", reader="a")["estimate"] == pytest.approx(4 / 5)
    assert metric(found["readers"], "specificity", reader="a")["estimate"] == 1.0
    assert metric(found["readers"], "specificity", reader="b")["estimate"] == pytest.approx(5 / 7)
    assert {r["reader"]: r["in_reference"] for r in found["readers"]} == {"a": False, "b": False, "expert": True}


def test_lake_and_readers_are_compared_on_the_same_patients(tmp_path: Path) -> None:
    rows = readings_of(TRUE, "expert") + readings_of(with_errors(3, 4, 5), "b")
    found = evaluated(tmp_path, rows, "reader:expert").tables["reader_comparisons"]
    of = {(r["first"], r["second"], r["quantity"]): r for r in found}
    specificity = of[("lake", "b", "specificity")]
    # the lake is wrong once (patient 6), the reader three times, never together
    assert (specificity["only_first"], specificity["only_second"], specificity["n"]) == (3, 1, 7)
    assert specificity["difference"] == pytest.approx(6 / 7 - 4 / 7)
    assert of[("lake", "b", "sensitivity")]["p_value"] == 1.0
    assert of[("lake", "b", "auc")]["test"] == "delong"


def test_kappa_between_readers(tmp_path: Path) -> None:
    rows = readings_of(TRUE, "expert") + readings_of(TRUE, "a") + readings_of(with_errors(0, 3), "b")
    found = evaluated(tmp_path, rows, "reader:expert").tables["reader_kappa"]
    assert metric(found, "linear_weighted_kappa", first="a", second="expert")["estimate"] == pytest.approx(1.0)
    assert metric(found, "linear_weighted_kappa", first="a", second="b")["estimate"] < 0.9


def test_several_readers_by_obuchowski_rockette(tmp_path: Path) -> None:
    rows = readings_of(TRUE, "expert")
    rows += readings_of(with_errors(0), "a") + readings_of(with_errors(3), "b") + readings_of(with_errors(1, 4), "c")
    found = evaluated(tmp_path, rows, "reader:expert").tables["reader_study"]
    of = {r["quantity"]: r for r in found}
    assert of["mean_auc"]["readers"] == 3
    assert of["mean_auc"]["patients"] == 12
    singles = [
        metric(evaluated(tmp_path / name, rows, "reader:expert").tables["readers"], "auc", reader=name)["estimate"]
        for name in "abc"
    ]
    assert of["mean_auc"]["estimate"] == pytest.approx(sum(singles) / 3)
    against = of["readers_minus_lake_auc"]
    assert against["low"] < against["estimate"] < against["high"]


def test_two_conditions_are_compared_and_an_incomplete_patient_is_counted_out(tmp_path: Path) -> None:
    rows = readings_of(TRUE, "expert", condition="unaided")
    for name, wrong in (("a", (0, 3)), ("b", (4,)), ("c", (1, 5))):
        rows += readings_of(with_errors(*wrong), name, condition="unaided")
        rows += readings_of(with_errors(*wrong[:1]), name, condition="aided")
    rows = [
        r
        for r in rows
        if not (r["reader"] == "c" and r["condition"] == "aided" and r["StudyInstanceUID"].endswith("7"))
    ]
    found = evaluated(tmp_path, rows, "reader:expert").tables["reader_study"]
    difference = next(r for r in found if r["quantity"] == "auc_difference")
    assert (difference["first"], difference["second"]) == ("aided", "unaided")
    assert (difference["patients"], difference["left_out"]) == (11, 1)
    assert difference["estimate"] > 0
    assert difference["df"] > 0


def test_one_reader_is_no_reader_study(tmp_path: Path) -> None:
    assert evaluated(tmp_path, readings_of(TRUE, "a"), "single").tables["reader_study"] == []
