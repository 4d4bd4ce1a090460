"""Fresh-fracture classifiers: every metric of Li et al., Spine 2024, with intervals; models against readers.

Belongs here: predictions -> tables. Does not belong here: making predictions (training.fresh_predict), the statistics
(binary, roc, thresholds, readers), files and figures (report.fresh).

The threshold of each model is chosen on its validation items (Youden) and applied as it is to the control set.
Several items of a patient are not independent: areas have clustered intervals, proportions Wilson's and the bootstrap's
over patients; McNemar's and DeLong's tests are of items, which every row says by its n and its patients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np

from vfscreen.evaluation.binary import binary_metrics, confusion
from vfscreen.evaluation.fresh_predictions import Predictions
from vfscreen.evaluation.fresh_tables import ReaderRow
from vfscreen.evaluation.metric import Bool, EvaluationError, Float, source_of
from vfscreen.evaluation.readers import mcnemar_test
from vfscreen.evaluation.resampling import Bootstrap
from vfscreen.evaluation.roc import auc_metric, compare_auc, roc_points
from vfscreen.evaluation.thresholds import ChosenThreshold, apply_threshold, choose_threshold

Row = dict[str, Any]
Tables = dict[str, list[Row]]

EVALUATED = ("validation", "control")
MEASURES = ("accuracy", "sensitivity", "specificity", "precision", "npv", "f1")
"""Of binary.binary_metrics those that are shown; the paper's and the negative predictive value."""


def evaluate_fresh(
    predictions: Predictions, readers: Sequence[ReaderRow] = (), bootstrap: Bootstrap | None = None
) -> Tables:
    """Tables metrics, thresholds, confusion, roc, model_comparisons, readers, reader_comparisons.

    Raises EvaluationError where the validation items have one class only: no threshold can be chosen then.
    """
    bootstrap = bootstrap or Bootstrap()
    chosen = {m: choose_threshold(predictions.of("validation").truth, s) for m, s in _scores(predictions)}
    tables: Tables = {
        "thresholds": [
            {"model": model, **asdict(t), "source": source_of(choose_threshold)} for model, t in chosen.items()
        ]
    }
    tables |= {name: [] for name in ("metrics", "confusion", "roc", "model_comparisons")}
    for split in EVALUATED:
        part = predictions.of(split)
        if part.truth.size == 0:
            continue
        for model, score in part.scores.items():
            _of_model(tables, {"split": split, "model": model}, part, score, chosen[model], bootstrap)
        tables["model_comparisons"] += _between_models(split, part, chosen)
    control = predictions.of("control")
    tables["readers"] = _reader_rows(control, readers, bootstrap)
    tables["reader_comparisons"] = _against_readers(control, readers, chosen)
    return tables


def _scores(predictions: Predictions) -> list[tuple[str, Float]]:
    part = predictions.of("validation")
    if part.truth.size == 0:
        raise EvaluationError("no item is in the split 'validation': thresholds are chosen there")
    return list(part.scores.items())


def _clusters(part: Predictions) -> tuple[str, ...] | None:
    """Patients, where any has several items."""
    return part.patient_id if len(set(part.patient_id)) < len(part.patient_id) else None


def _of_model(
    tables: Tables, place: Row, part: Predictions, score: Float, chosen: ChosenThreshold, bootstrap: Bootstrap
) -> None:
    clusters, call = _clusters(part), apply_threshold(score, chosen)
    metrics = [auc_metric(part.truth, score, clusters, bootstrap.confidence)]
    metrics += [m for m in binary_metrics(part.truth, call, clusters, bootstrap) if m.name in MEASURES]
    tables["metrics"] += [{**place, **metric.row()} for metric in metrics]
    tables["confusion"].append({**place, **asdict(confusion(part.truth, call)), "source": source_of(confusion)})
    if part.truth.any() and not part.truth.all():
        curve = roc_points(part.truth, score)
        tables["roc"] += [
            {**place, "false_positive_rate": float(x), "sensitivity": float(y), "threshold": _finite(t)}
            for x, y, t in zip(curve.x, curve.y, curve.thresholds, strict=True)
        ]


def _between_models(split: str, part: Predictions, chosen: Mapping[str, ChosenThreshold]) -> list[Row]:
    """DeLong's test of areas and McNemar's of right calls, each two models."""
    rows = []
    for first, second in combinations(part.scores, 2):
        place = {"split": split, "first": first, "second": second, "patients": len(set(part.patient_id))}
        rows.append({**place, **_areas(part.truth, part.scores[first], part.scores[second], _clusters(part))})
        right = [apply_threshold(part.scores[m], chosen[m]) == part.truth for m in (first, second)]
        rows.append({**place, **_mcnemar("accuracy", *right)})
    return rows


def _reader_rows(control: Predictions, readers: Sequence[ReaderRow], bootstrap: Bootstrap) -> list[Row]:
    """Each reader's own accuracy on the control items that reader called."""
    rows: list[Row] = []
    for reader, calls in _by_reader(readers).items():
        index, call, rating = _aligned(control, calls)
        truth, patients = control.truth[index], [control.patient_id[i] for i in index]
        clusters = patients if len(set(patients)) < len(patients) else None
        metrics = [m for m in binary_metrics(truth, call, clusters, bootstrap) if m.name in MEASURES]
        if np.isfinite(rating).all() and rating.size:
            metrics.insert(0, auc_metric(truth, rating, clusters, bootstrap.confidence))
        rows += [{"split": "control", "reader": reader, **metric.row()} for metric in metrics]
    return rows


def _against_readers(
    control: Predictions, readers: Sequence[ReaderRow], chosen: Mapping[str, ChosenThreshold]
) -> list[Row]:
    """Models against each reader, and readers against each other, on control items that both called."""
    sides = _by_reader(readers)
    rows: list[Row] = []
    for reader, calls in sides.items():
        index, call, rating = _aligned(control, calls)
        part = control.take(index)
        for model, score in part.scores.items():
            place = {"first": model, "second": reader, "patients": len(set(part.patient_id))}
            rows += _calls(place, part.truth, apply_threshold(score, chosen[model]), call)
            if np.isfinite(rating).all() and rating.size:
                rows.append({**place, **_areas(part.truth, score, rating, _clusters(part))})
    for one, other in combinations(sides, 2):
        both = {c.item_id for c in sides[one]} & {c.item_id for c in sides[other]}
        index, call, rating = _aligned(control, [c for c in sides[one] if c.item_id in both])
        _, call_b, rating_b = _aligned(control, [c for c in sides[other] if c.item_id in both])
        part = control.take(index)
        place = {"first": one, "second": other, "patients": len(set(part.patient_id))}
        rows += _calls(place, part.truth, call, call_b)
        if np.isfinite(rating).all() and np.isfinite(rating_b).all() and rating.size:
            rows.append({**place, **_areas(part.truth, rating, rating_b, _clusters(part))})
    return rows


def _calls(place: Row, truth: Bool, first: Bool, second: Bool) -> list[Row]:
    """McNemar's tests of sensitivity, specificity and accuracy of two calls of the same items."""
    chosen = {"sensitivity": truth, "specificity": ~truth, "accuracy": np.ones_like(truth)}
    return [
        {**place, **_mcnemar(name, first[kept] == truth[kept], second[kept] == truth[kept])}
        for name, kept in chosen.items()
        if kept.any()
    ]


def _mcnemar(quantity: str, first: Bool, second: Bool) -> Row:
    return {
        "quantity": quantity, "test": "mcnemar_exact", "difference": float(first.mean() - second.mean()),
        **mcnemar_test(first, second), "source": source_of(mcnemar_test),
    }  # fmt: skip


def _areas(truth: Bool, first: Float, second: Float, clusters: Sequence[str] | None) -> Row:
    place = {"quantity": "auc", "test": "delong" if clusters is None else "clustered_delong", "n": int(truth.size)}
    try:
        found = asdict(compare_auc(truth, first, second, clusters))
    except ValueError as error:
        return {**place, "reason": str(error), "source": source_of(compare_auc)}
    return {**place, **found, "z": _finite(found["z"]), "source": source_of(compare_auc)}


def _by_reader(readers: Sequence[ReaderRow]) -> dict[str, list[ReaderRow]]:
    found: dict[str, list[ReaderRow]] = {}
    for row in readers:
        found.setdefault(row.reader, []).append(row)
    return dict(sorted(found.items()))


def _aligned(control: Predictions, calls: Sequence[ReaderRow]) -> tuple[list[int], Bool, Float]:
    """Indices of control items that were called, in their order, with calls and ratings (NaN where there is none)."""
    by_item = {row.item_id: row for row in calls}
    index = [i for i, item in enumerate(control.item_id) if item in by_item]
    found = [by_item[control.item_id[i]] for i in index]
    ratings = [np.nan if row.rating is None else row.rating for row in found]
    return index, np.array([row.call for row in found], dtype=np.bool_), np.array(ratings, dtype=np.float64)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
