"""ROC and precision-recall curves, and the area under the ROC curve with its variance.

The area is the Mann-Whitney statistic; its covariance between scores of the same items is DeLong, DeLong and
Clarke-Pearson's (Biometrics 44 (1988) 837-845), computed from midranks (Sun and Xu, IEEE Signal Process Lett 21 (2014)
1389-1393). Where a patient gives several items, Obuchowski's estimator for clustered data (Biometrics 53 (1997)
567-578) replaces it; with one item a patient it is DeLong's. Belongs here: curves, areas, their comparison.
Does not belong here: thresholds (thresholds), several readers (mrmc).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

from vfscreen.evaluation.metric import CONFIDENCE, Bool, Float, Int, Metric, checked_truth, source_of
from vfscreen.evaluation.resampling import Bootstrap, cluster_codes, cluster_sums, draws, percentile_interval

ONE_CLASS = "the reference has only one class"


@dataclass(frozen=True, eq=False)
class Curve:
    """Points of a curve. thresholds: an item is called where its score is at least this."""

    x: Float
    y: Float
    thresholds: Float


@dataclass(frozen=True)
class AucComparison:
    """Area of the first score minus area of the second, on the same items. p_value: two-sided."""

    difference: float
    low: float
    high: float
    z: float
    p_value: float
    standard_error: float


def roc_points(truth: Any, score: Any) -> Curve:
    """False positive rate against sensitivity. ValueError where the reference has only one class."""
    flags, values = _two_classes(truth, score)
    false_positive_rate, sensitivity, thresholds = roc_curve(flags, values, drop_intermediate=False)
    return Curve(false_positive_rate, sensitivity, thresholds)


def pr_points(truth: Any, score: Any) -> Curve:
    """Recall against precision. ValueError where the reference has only one class."""
    flags, values = _two_classes(truth, score)
    precision, recall, thresholds = precision_recall_curve(flags, values)
    return Curve(recall, precision, np.append(thresholds, np.inf))


def auc_covariance(truth: Any, scores: Any, clusters: Sequence[Any] | None = None) -> tuple[Float, Float]:
    """Areas (k,) and their covariance (k, k) of k scores (k, n) of the same n items.

    clusters: the patient of each item; None where items are independent (DeLong).
    Raises ValueError where either class has fewer than two items (or patients), from which no variance can be had.
    """
    flags, (values,) = checked_truth(truth, np.atleast_2d(np.asarray(scores, dtype=np.float64)))
    positives, negatives = int(flags.sum()), int((~flags).sum())
    if not positives or not negatives:
        raise ValueError(ONE_CLASS)
    areas, components = _components(flags, values)
    codes, patients = cluster_codes(clusters, flags.size)
    with_positive = len(np.unique(codes[flags]))
    with_negative = len(np.unique(codes[~flags]))
    if min(with_positive, with_negative) < 2:
        raise ValueError("a variance needs two patients with and two without the finding")
    centred = components - areas[:, None]
    above = cluster_sums((centred * flags).T, codes, patients)
    below = cluster_sums((centred * ~flags).T, codes, patients)
    s10 = with_positive / ((with_positive - 1) * positives) * above.T @ above
    s01 = with_negative / ((with_negative - 1) * negatives) * below.T @ below
    # Patients with items of both classes tie the two sums together; without such patients this is zero.
    s11 = patients / (patients - 1) * above.T @ below
    covariance = s10 / positives + s01 / negatives + (s11 + s11.T) / (positives * negatives)
    return areas, covariance


def auc_metric(truth: Any, score: Any, clusters: Sequence[Any] | None = None, confidence: float = CONFIDENCE) -> Metric:
    """Area under the ROC curve with its normal interval, cut at 0 and 1."""
    flags, (values,) = checked_truth(truth, score)
    _, patients = cluster_codes(clusters, flags.size)
    shared: dict[str, Any] = {"n": int(flags.size), "clusters": patients, "source": source_of(auc_metric)}
    if flags.all() or not flags.any():
        return Metric("auc", None, reason=ONE_CLASS, **shared)
    name = "delong" if clusters is None else "clustered_delong"
    try:
        areas, covariance = auc_covariance(flags, values, clusters)
    except ValueError as error:
        return Metric("auc", float(_components(flags, values[None])[0][0]), note=f"no interval: {error}", **shared)
    half = stats.norm.ppf(0.5 + confidence / 2) * np.sqrt(max(float(covariance[0, 0]), 0.0))
    area = float(areas[0])
    note = "complete separation: the estimated variance is zero and so is the interval's width" if half == 0 else None
    return Metric("auc", area, max(0.0, area - half), min(1.0, area + half), name, note=note, **shared)


def compare_auc(
    truth: Any,
    score_a: Any,
    score_b: Any,
    clusters: Sequence[Any] | None = None,
    confidence: float = CONFIDENCE,
) -> AucComparison:
    """Two scores of the same items. ValueError as `auc_covariance`."""
    scores = np.stack([np.asarray(score_a, dtype=np.float64), np.asarray(score_b, dtype=np.float64)])
    areas, covariance = auc_covariance(truth, scores, clusters)
    difference = float(areas[0] - areas[1])
    error = float(np.sqrt(max(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1], 0.0)))
    if error < 1e-12:  # the same ranking: the difference is exactly zero, or separated without any doubt
        z = 0.0 if abs(difference) < 1e-12 else float(np.copysign(np.inf, difference))
    else:
        z = difference / error
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * error
    return AucComparison(difference, difference - half, difference + half, z, 2 * float(stats.norm.sf(abs(z))), error)


def average_precision(
    truth: Any, score: Any, clusters: Sequence[Any] | None = None, bootstrap: Bootstrap | None = None
) -> Metric:
    """Area under the precision-recall curve as the step-wise sum, with the bootstrap's interval over patients."""
    bootstrap = bootstrap or Bootstrap()
    flags, (values,) = checked_truth(truth, score)
    codes, patients = cluster_codes(clusters, flags.size)
    shared: dict[str, Any] = {"n": int(flags.size), "clusters": patients, "source": source_of(average_precision)}
    if flags.all() or not flags.any():
        return Metric("average_precision", None, reason=ONE_CLASS, **shared)
    estimate = float(average_precision_score(flags, values))
    order = np.argsort(-values, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))  # the last item of each distinct score
    drawn = [
        _average_precisions(flags[order], ends, block[:, codes[order]])
        for block in (draws(patients, bootstrap, flags.size) if patients > 1 else ())
    ]
    low, high = percentile_interval(np.concatenate([*drawn, []]), bootstrap.confidence) or (None, None)
    return Metric("average_precision", estimate, low, high, "cluster_bootstrap", **shared)


def _average_precisions(truth: Bool, ends: Int, weights: Float) -> Float:
    """Average precision of items in descending order of score, for each row of weights (b, n); NaN without a positive.

    ends: index of the last item of each distinct score; items of one score are called together.
    """
    called = np.cumsum(weights, axis=1)[:, ends]
    true = np.cumsum(weights * truth, axis=1)[:, ends]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(called > 0, true / called, 0.0)
        recall = true / true[:, -1:]
    return np.asarray((np.diff(recall, axis=1, prepend=0.0) * precision).sum(axis=1))


def _two_classes(truth: Any, score: Any) -> tuple[Bool, Float]:
    flags, (values,) = checked_truth(truth, score)
    if flags.all() or not flags.any():
        raise ValueError(ONE_CLASS)
    return flags, values


def _components(truth: Bool, scores: Float) -> tuple[Float, Float]:
    """Areas (k,), and structural components (k, n): of a positive, the share of negatives it beats (ties half); of a
    negative, the share of positives that beat it."""
    positives, negatives = int(truth.sum()), int((~truth).sum())
    ranks = stats.rankdata(scores, axis=1)
    components = np.empty_like(ranks)
    components[:, truth] = (ranks[:, truth] - stats.rankdata(scores[:, truth], axis=1)) / negatives
    components[:, ~truth] = 1 - (ranks[:, ~truth] - stats.rankdata(scores[:, ~truth], axis=1)) / positives
    return components[:, truth].mean(axis=1), components
