"""Classifiers of fresh fractures against truth and readers, on predictions and reader tables written down here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vfscreen.evaluation.fresh import evaluate_fresh
from vfscreen.evaluation.fresh_predictions import (
    ENSEMBLE,
    Predictions,
    merged,
    predictions_csv,
    read_predictions,
    with_ensemble,
)
from vfscreen.evaluation.fresh_tables import LabelRow, read_labels, read_reader_calls, with_splits
from vfscreen.evaluation.metric import EvaluationError
from vfscreen.evaluation.resampling import Bootstrap

QUICK = Bootstrap(resamples=100)

TRUTH = [1, 1, 1, 1, 0, 0, 0, 0]
SCORES = [0.9, 0.8, 0.7, 0.2, 0.6, 0.3, 0.2, 0.1]
READER_A = [1, 1, 0, 0, 0, 0, 0, 0]
READER_B = [1, 1, 1, 1, 1, 1, 0, 0]
RATINGS_B = [5, 5, 4, 4, 4, 4, 2, 1]


def predictions(patients: list[str] | None = None) -> Predictions:
    """Eight validation items whose best threshold is 0.7, and eight control items with the same scores."""
    items = [f"{split}-{n}" for split in ("validation", "control") for n in range(8)]
    return Predictions(
        tuple(items),
        tuple(patients or items),
        tuple(["validation"] * 8 + ["control"] * 8),
        np.array(TRUTH * 2, dtype=bool),
        {"one": np.array(SCORES * 2), "two": np.array([0.55, *SCORES[1:], *SCORES])},
    )


def readers(tmp_path: Path) -> Path:
    path = tmp_path / "readers.csv"
    lines = ["item_id,reader,call,rating"]
    lines += [f"control-{n},A,{'fresh' if call else 'old'}," for n, call in enumerate(READER_A)]
    lines += [f"control-{n},B,{call},{r}" for n, (call, r) in enumerate(zip(READER_B, RATINGS_B, strict=True))]
    path.write_text("\n".join(lines))
    return path


def one(rows: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    found = [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]
    assert len(found) == 1, found
    return found[0]


def test_every_metric_of_the_paper_has_its_value_and_an_interval() -> None:
    tables = evaluate_fresh(predictions(), bootstrap=QUICK)
    assert one(tables["thresholds"], model="one")["threshold"] == pytest.approx(0.7)
    expected = {"accuracy": 7 / 8, "sensitivity": 3 / 4, "specificity": 1.0, "precision": 1.0, "npv": 4 / 5}
    for name, value in expected.items():
        row = one(tables["metrics"], split="control", model="one", name=name, interval="wilson")
        assert row["estimate"] == pytest.approx(value)
        assert row["low"] < value <= row["high"] or value == row["high"] == 1.0
        assert one(tables["metrics"], split="control", model="one", name=name, interval="cluster_bootstrap")
    f1 = one(tables["metrics"], split="control", model="one", name="f1")
    assert f1["estimate"] == pytest.approx(2 * 3 / (2 * 3 + 0 + 1))
    assert f1["low"] <= f1["estimate"] <= f1["high"]
    auc = one(tables["metrics"], split="control", model="one", name="auc")
    assert auc["interval"] == "delong"
    # of 16 pairs: 0.2 loses to 0.6 and 0.3 and ties with 0.2; the others win all
    assert auc["estimate"] == pytest.approx((12 + 1.5) / 16)
    confusion = one(tables["confusion"], split="control", model="one")
    assert (confusion["tp"], confusion["fp"], confusion["fn"], confusion["tn"]) == (3, 0, 1, 4)
    curve = [r for r in tables["roc"] if (r["split"], r["model"]) == ("control", "one")]
    assert (curve[0]["false_positive_rate"], curve[-1]["sensitivity"]) == (0.0, 1.0)


def test_the_threshold_comes_from_validation_alone() -> None:
    """Control scores shifted down: the threshold stays, so fewer are called."""
    given = predictions()
    low = np.concatenate([SCORES, np.array(SCORES) - 0.1])
    moved = Predictions(given.item_id, given.patient_id, given.split, given.truth, {"one": low})
    tables = evaluate_fresh(moved, bootstrap=QUICK)
    assert one(tables["thresholds"], model="one")["threshold"] == pytest.approx(0.7)
    assert one(tables["confusion"], split="control", model="one")["tp"] == 2


def test_items_of_one_patient_widen_the_interval_of_the_area() -> None:
    apart = evaluate_fresh(predictions(), bootstrap=QUICK)
    pairs = [f"{split}-{n // 2}" for split in ("validation", "control") for n in range(8)]
    together = evaluate_fresh(predictions(pairs), bootstrap=QUICK)
    row = one(together["metrics"], split="control", model="one", name="auc")
    assert row["interval"] == "clustered_delong"
    assert row["clusters"] == 4
    assert row["low"] != one(apart["metrics"], split="control", model="one", name="auc")["low"]


def test_readers_are_compared_by_mcnemar_and_delong(tmp_path: Path) -> None:
    given = predictions()
    calls = read_reader_calls(readers(tmp_path), given.item_id)
    tables = evaluate_fresh(given, calls, QUICK)
    assert one(tables["readers"], reader="A", name="accuracy", interval="wilson")["estimate"] == pytest.approx(6 / 8)
    assert not [r for r in tables["readers"] if r["reader"] == "A" and r["name"] == "auc"], "A gave no ratings"
    assert one(tables["readers"], reader="B", name="auc")["estimate"] == pytest.approx((2 * 4 + 2 * 3) / 16)
    row = one(tables["reader_comparisons"], first="one", second="A", quantity="accuracy")
    # the model calls one fresh item that A missed, and A none that the model missed
    assert (row["only_first"], row["only_second"], row["n"], row["p_value"]) == (1, 0, 8, 1.0)
    specificity = one(tables["reader_comparisons"], first="one", second="B", quantity="specificity")
    assert (specificity["only_first"], specificity["p_value"]) == (2, pytest.approx(0.5))
    area = one(tables["reader_comparisons"], first="one", second="B", quantity="auc")
    assert area["difference"] == pytest.approx(13.5 / 16 - 14 / 16)
    assert 0 < area["p_value"] <= 1
    assert one(tables["reader_comparisons"], first="A", second="B", quantity="sensitivity")["only_second"] == 2


def test_models_are_compared_with_each_other_and_the_ensemble_is_one_of_them() -> None:
    given = with_ensemble(predictions())
    odds = [np.log(p / (1 - p)) for p in (0.9, 0.55)]
    assert given.scores[ENSEMBLE][0] == pytest.approx(1 / (1 + np.exp(-np.mean(odds))))
    tables = evaluate_fresh(given, bootstrap=QUICK)
    assert {(r["first"], r["second"]) for r in tables["model_comparisons"] if r["split"] == "control"} == {
        ("one", "two"),
        ("one", ENSEMBLE),
        ("two", ENSEMBLE),
    }
    same = one(tables["model_comparisons"], split="control", first="one", second="two", quantity="auc")
    assert same["difference"] == 0
    assert same["p_value"] == 1.0


def test_without_validation_there_is_no_threshold() -> None:
    with pytest.raises(EvaluationError, match="validation"):
        evaluate_fresh(predictions().of("control"), bootstrap=QUICK)


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Predictions(("a",), ("a",), ("control",), np.array([True]), {"m": np.array([1.5])})


def test_labels_come_from_csv_and_parquet_alike(tmp_path: Path) -> None:
    rows = [
        {"image": "a.png", "patient_id": "1", "label": "fresh", "left": 1.0, "top": 2.0, "right": 30.0, "bottom": 40.0},
        {"image": "a.png", "patient_id": "1", "label": "old", "left": 1.0, "top": 50.0, "right": 30.0, "bottom": 90.0},
        {"image": "b.png", "patient_id": "2", "label": "old", "left": None, "top": None, "right": None, "bottom": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "labels.parquet")
    text = [",".join(rows[0])] + [",".join("" if v is None else str(v) for v in row.values()) for row in rows]
    (tmp_path / "labels.csv").write_text("\n".join(text))
    parquet, table = read_labels(tmp_path / "labels.parquet"), read_labels(tmp_path / "labels.csv")
    assert parquet == table
    assert [row.label for row in table] == [True, False, False]
    assert table[0].box == (1, 2, 30, 40)
    assert table[2].box is None
    assert len({row.key for row in table}) == 3
    assert table[0].split == table[1].split, "one patient"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("image,patient_id,label\na.png,1,perhaps\n", "row 1: label"),
        ("image,patient_id,label\na.png,,fresh\n", "patient_id"),
        ("image,SOPInstanceUID,patient_id,label\na.png,1.2,1,fresh\n", "one of the two"),
        ("image,patient_id,label\na.png,1,fresh\na.png,1,old\n", "occurs twice"),
        ("image,patient_id,label,left,top\na.png,1,fresh,3,4\n", "a box needs"),
        ("image,patient_id,label,split\na.png,1,fresh,train\nb.png,1,old,control\n", "in two splits"),
        ("image,patient_id,label,split\na.png,1,fresh,train\nb.png,2,old,\n", "every row or for none"),
        ("image,patient_id,label\na.png,1\n", "cells"),
        ("image,patient_id,label\n", "no rows"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(EvaluationError, match=problem):
        read_labels(path)


def test_patients_are_dealt_out_once_and_whatever_the_order() -> None:
    rows = [
        LabelRow(image=f"{patient}-{n}.png", patient_id=str(patient), label=str(patient % 4 == 0))
        for patient in range(200)
        for n in range(2)
    ]
    dealt = with_splits(rows)
    splits = {row.patient_id: row.split for row in dealt}
    assert all(splits[row.patient_id] == row.split for row in dealt)
    counts = {s: sum(v == s for v in splits.values()) for s in ("train", "validation", "control")}
    assert counts == {"train": 160, "validation": 30, "control": 10}
    fresh = {row.patient_id for row in dealt if row.label}
    assert sum(splits[p] == "validation" for p in fresh) == 8, "fresh patients are dealt out by themselves"
    backwards = {row.patient_id: row.split for row in with_splits(rows[::-1])}
    assert backwards == splits


def test_a_reader_table_with_an_unknown_item_or_a_second_call_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "readers.csv"
    path.write_text("item_id,reader,call\ncontrol-9,A,1\n")
    with pytest.raises(EvaluationError, match="not among"):
        read_reader_calls(path, predictions().item_id)
    path.write_text("item_id,reader,call\ncontrol-1,A,1\ncontrol-1,A,0\n")
    with pytest.raises(EvaluationError, match="twice"):
        read_reader_calls(path, predictions().item_id)


def test_predictions_survive_their_file_and_models_are_put_side_by_side(tmp_path: Path) -> None:
    given = predictions()
    (tmp_path / "p.csv").write_bytes(predictions_csv(given))
    back = read_predictions(tmp_path / "p.csv")
    assert (back.item_id, back.split) == (given.item_id, given.split)
    assert np.array_equal(back.scores["two"], given.scores["two"])
    turned = back.take(range(15, -1, -1))
    other = Predictions(turned.item_id, turned.patient_id, turned.split, turned.truth, {"three": turned.scores["one"]})
    together = merged([given, other])
    assert np.allclose(together.scores["three"], given.scores["one"], atol=1e-8)
    with pytest.raises(EvaluationError, match="there twice"):
        merged([given, back])
    with pytest.raises(EvaluationError, match="other items"):
        merged([given, other.of("control")])
    with pytest.raises(EvaluationError, match="disagree"):
        merged([given, Predictions(other.item_id, other.patient_id, other.split, ~other.truth, other.scores)])
