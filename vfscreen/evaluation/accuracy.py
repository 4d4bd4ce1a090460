"""Accuracy, calibration and agreement of a set of items, as rows of tables.

Belongs here: which function is asked for which table. Does not belong here: the statistics, subgroups, readers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np

from vfscreen.evaluation.agreement import GRADES, WEIGHTS, agreement_table, kappa_metrics
from vfscreen.evaluation.binary import binary_metrics, confusion, weighted_metrics
from vfscreen.evaluation.calibration import brier_score, expected_calibration_error, recalibration, reliability
from vfscreen.evaluation.decision import decision_curve
from vfscreen.evaluation.items import ANALYSES, NEVER, Items, scenario
from vfscreen.evaluation.metric import Metric, source_of
from vfscreen.evaluation.resampling import Bootstrap
from vfscreen.evaluation.roc import auc_metric, average_precision, pr_points, roc_points

Row = dict[str, Any]
Tables = dict[str, list[Row]]


def accuracy_tables(items: Items, targets: Iterable[int], bootstrap: Bootstrap, bins: int) -> Tables:
    """Tables metrics, confusion, roc, pr, reliability, decision_curve of one level."""
    tables: Tables = {n: [] for n in ("metrics", "confusion", "roc", "pr", "reliability", "decision_curve")}
    for target in targets:
        for analysis in ANALYSES:
            s = scenario(items, target, analysis)
            place = {"level": items.level, "target": f"grade>={target}", "analysis": analysis}
            counts = asdict(confusion(s.truth, s.call))
            tables["confusion"].append(
                {**place, **counts, "unevaluable": s.unevaluable, "source": source_of(confusion)}
            )
            metrics = binary_metrics(s.truth, s.call, s.clusters, bootstrap)
            if analysis != "worst_case":
                metrics += _scores(tables, place, items, target, analysis, bootstrap, bins)
            tables["metrics"] += [{**place, **metric.row()} for metric in metrics]
    return tables


def weighted_rows(items: Items, targets: Iterable[int], bootstrap: Bootstrap) -> list[Row]:
    """Rates in the population, where the readings are a weighted sample of it; else no row."""
    rows: list[Row] = []
    for target in targets:
        for analysis in ("per_protocol", "intention_to_screen"):
            s = scenario(items, target, analysis)
            if s.weights is None:
                continue
            place = {"level": items.level, "target": f"grade>={target}", "analysis": analysis}
            metrics = weighted_metrics(s.truth, s.call, s.weights, s.clusters, bootstrap)
            rows += [{**place, **metric.row()} for metric in metrics]
    return rows


def _scores(
    tables: Tables, place: Row, items: Items, target: int, analysis: Any, bootstrap: Bootstrap, bins: int
) -> list[Metric]:
    """What the probabilities are worth. Calibration is of the items that have one; decisions are of all."""
    s = scenario(items, target, analysis)
    if not s.scored.any():
        reason = "the lake has no probability of this"
        return [
            Metric(name, None, reason=reason, source=source_of(auc_metric)) for name in ("auc", "average_precision")
        ]
    truth, score = s.truth[s.scored], s.score[s.scored]
    clusters = None if s.clusters is None else [c for c, kept in zip(s.clusters, s.scored, strict=True) if kept]
    metrics = [
        auc_metric(truth, score, clusters, bootstrap.confidence),
        average_precision(truth, score, clusters, bootstrap),
    ]
    if truth.any() and not truth.all():
        roc, pr = roc_points(truth, score), pr_points(truth, score)
        for name, curve, axes, function in (
            ("roc", roc, ("false_positive_rate", "sensitivity"), roc_points),
            ("pr", pr, ("recall", "precision"), pr_points),
        ):
            tables[name] += [
                {**place, axes[0]: float(x), axes[1]: float(y), "threshold": float(t) if np.isfinite(t) else None,
                 "source": source_of(function)}
                for x, y, t in zip(curve.x, curve.y, curve.thresholds, strict=True)
            ]  # fmt: skip
    if analysis == "intention_to_screen":
        never = np.maximum(score, 0.0)  # what cannot be flagged has no probability at which anyone would act
        tables["decision_curve"] += [
            {**place, **asdict(point), "source": source_of(decision_curve)}
            for point in decision_curve(truth, never, clusters, bootstrap)
        ]
        return metrics
    assert (score > NEVER).all()
    tables["reliability"] += [
        {**place, **asdict(b), "source": source_of(reliability)} for b in reliability(truth, score, bins)
    ]
    return [
        *metrics,
        *brier_score(truth, score, clusters, bootstrap),
        expected_calibration_error(truth, score, clusters, bootstrap, bins),
        *recalibration(truth, score, clusters, bootstrap.confidence),
    ]


def grade_tables(items: Items, bootstrap: Bootstrap) -> Tables:
    """Tables grades (reference against lake, column null: no grade) and kappa, of items that have both grades."""
    both = items.subset(items.evaluable)
    table = agreement_table(both.reference, both.grade)
    place = {"level": items.level}
    rows: list[Row] = []
    for reference in GRADES:
        absent = int(((items.reference == reference) & ~items.evaluable).sum())
        cells: list[tuple[int | None, int]] = [(grade, int(table[reference, grade])) for grade in GRADES]
        rows += [
            {**place, "reference_grade": reference, "lake_grade": grade, "n": n, "source": source_of(agreement_table)}
            for grade, n in [*cells, (None, absent)]
        ]
    kappas = [
        {**place, **metric.row()}
        for weights in WEIGHTS
        for metric in kappa_metrics(both.reference, both.grade, weights, both.cluster_argument, bootstrap)
    ]
    return {"grades": rows, "kappa": kappas}
