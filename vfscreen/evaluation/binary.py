"""Calls against truth: the two-by-two table and what is read off it, with intervals.

Each proportion carries Wilson's interval (Wilson, J Am Stat Assoc 22 (1927) 209-212, recommended by Newcombe, Stat Med
17 (1998) 857-872), which takes items as independent, and the patient-clustered bootstrap's, which does not. F1 is no
proportion of counted items and has the bootstrap's alone. Belongs here: one test's table. Does not belong here:
comparing two tests (readers), choosing a threshold (thresholds).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix
from statsmodels.stats.proportion import proportion_confint

from vfscreen.evaluation.metric import CONFIDENCE, Float, Metric, checked_truth, source_of
from vfscreen.evaluation.resampling import Bootstrap, cluster_codes, cluster_sums, drawn_totals, percentile_interval

_TP, _FP, _FN, _TN = range(4)

_PROPORTIONS: dict[str, tuple[tuple[int, ...], tuple[int, ...], str]] = {
    "sensitivity": ((_TP,), (_TP, _FN), "no item is positive in the reference"),
    "specificity": ((_TN,), (_TN, _FP), "no item is negative in the reference"),
    "ppv": ((_TP,), (_TP, _FP), "nothing was called positive"),
    "npv": ((_TN,), (_TN, _FN), "nothing was called negative"),
    "precision": ((_TP,), (_TP, _FP), "nothing was called positive"),
    "accuracy": ((_TP, _TN), (_TP, _FP, _FN, _TN), "there are no items"),
    "prevalence": ((_TP, _FN), (_TP, _FP, _FN, _TN), "there are no items"),
}
"""name -> cells of the numerator and of the denominator, why it may be undefined. Precision is another word for PPV."""


@dataclass(frozen=True)
class Confusion:
    """Counts of items: true and false positives, false and true negatives."""

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def n(self) -> int:
        return self.tp + self.fp + self.fn + self.tn


def confusion(truth: Any, call: Any) -> Confusion:
    """truth, call: (n,) of true or false."""
    flags, (called,) = checked_truth(truth, call)
    ((tn, fp), (fn, tp)) = confusion_matrix(flags, called.astype(np.bool_), labels=[False, True])
    return Confusion(int(tp), int(fp), int(fn), int(tn))


def wilson(successes: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """Wilson's score interval of a proportion, without continuity correction; None for n = 0."""
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is no proportion")
    if n == 0:
        return None
    low, high = proportion_confint(successes, n, alpha=1.0 - confidence, method="wilson")
    # exactly: rounding would leave the bound of 0 of n a hair above 0
    return (0.0 if successes == 0 else float(low)), (1.0 if successes == n else float(high))


def binary_metrics(
    truth: Any, call: Any, clusters: Sequence[Any] | None = None, bootstrap: Bootstrap | None = None
) -> list[Metric]:
    """Sensitivity, specificity, PPV (precision), NPV, accuracy, prevalence and F1 of calls.

    truth, call: (n,) of true or false. clusters: the patient of each item; None where items are patients.
    Each proportion twice, with Wilson's interval and with the bootstrap's over patients.
    """
    bootstrap = bootstrap or Bootstrap()
    flags, (called,) = checked_truth(truth, call)
    codes, k = cluster_codes(clusters, flags.size)
    sums = cluster_sums(_cells(flags, called.astype(np.bool_)), codes, k)
    cells = sums.sum(axis=0)
    totals = drawn_totals(sums, bootstrap)
    source = source_of(binary_metrics)
    found = []
    for name, (above, below, undefined) in _PROPORTIONS.items():
        top, bottom = int(cells[list(above)].sum()), int(cells[list(below)].sum())
        shared: dict[str, Any] = {
            "numerator": top,
            "denominator": bottom,
            "n": int(flags.size),
            "clusters": k,
            "source": source,
        }
        if not bottom:
            found.append(Metric(name, None, reason=undefined, **shared))
            continue
        drawn = percentile_interval(_ratio(totals, above, below), bootstrap.confidence)
        for interval, ends in (
            ("wilson", wilson(top, bottom, bootstrap.confidence)),
            ("cluster_bootstrap", drawn),
        ):
            low, high = ends or (None, None)
            found.append(Metric(name, top / bottom, low, high, interval, **shared))
    return [*found, _f1(sums, totals, int(flags.size), bootstrap.confidence)]


def weighted_metrics(
    truth: Any,
    call: Any,
    weights: Any,
    clusters: Sequence[Any] | None = None,
    bootstrap: Bootstrap | None = None,
) -> list[Metric]:
    """The same proportions in the population a sample was drawn from by strata, with the bootstrap's interval.

    weights: (n,) items of the population each stands for (Horvitz and Thompson, J Am Stat Assoc 47 (1952) 663-685).
    Without them a sample that was enriched with findings says too much of sensitivity and PPV (Begg and Greenes,
    Biometrics 39 (1983) 207-215).
    """
    bootstrap = bootstrap or Bootstrap()
    flags, (called, weight) = checked_truth(truth, call, weights)
    codes, k = cluster_codes(clusters, flags.size)
    sums = cluster_sums(_cells(flags, called.astype(np.bool_)) * weight[:, None], codes, k)
    total, totals = sums.sum(axis=0, keepdims=True), drawn_totals(sums, bootstrap)
    shared: dict[str, Any] = {"n": int(flags.size), "clusters": k, "source": source_of(weighted_metrics)}
    found = []
    for name, (above, below, undefined) in _PROPORTIONS.items():
        if not total[0, list(below)].sum():
            found.append(Metric(name, None, reason=undefined, **shared))
            continue
        low, high = percentile_interval(_ratio(totals, above, below), bootstrap.confidence) or (None, None)
        found.append(Metric(name, float(_ratio(total, above, below)[0]), low, high, "cluster_bootstrap", **shared))
    return found


def _f1(sums: Float, totals: Float, n: int, confidence: float) -> Metric:
    def f1(cells: Float) -> Float:
        with np.errstate(invalid="ignore"):
            return np.asarray(2 * cells[:, _TP] / (2 * cells[:, _TP] + cells[:, _FP] + cells[:, _FN]))

    total = sums.sum(axis=0, keepdims=True)
    source = source_of(binary_metrics)
    if total[0, [_TP, _FP, _FN]].sum() == 0:
        return Metric("f1", None, n=n, clusters=len(sums), reason="nothing is positive or called so", source=source)
    low, high = percentile_interval(f1(totals), confidence) or (None, None)
    return Metric("f1", float(f1(total)[0]), low, high, "cluster_bootstrap", n=n, clusters=len(sums), source=source)


def _cells(truth: np.ndarray[Any, np.dtype[np.bool_]], call: np.ndarray[Any, np.dtype[np.bool_]]) -> Float:
    """(n, 4): which cell of the table each item is in."""
    return np.stack([truth & call, ~truth & call, truth & ~call, ~truth & ~call], axis=1).astype(np.float64)


def _ratio(totals: Float, above: tuple[int, ...], below: tuple[int, ...]) -> Float:
    with np.errstate(invalid="ignore"):
        return np.asarray(totals[:, above].sum(axis=1) / totals[:, below].sum(axis=1))
