"""Several readers of the same cases, perhaps under several conditions: Obuchowski and Rockette's analysis of variance.

Obuchowski and Rockette, Commun Stat Simul Comput 24 (1995) 285-308, with the degrees of freedom and single-condition
intervals of Hillis (Stat Med 26 (2007) 596-619; Stat Med 33 (2014) 330-360). The error covariances come from DeLong's
estimator or from the jackknife over cases. Factorial designs only: every reader read every case under every condition.
Belongs here: readers' figures of merit and what can be said of their means. Does not belong here: which cases (study).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from scipy import stats

from vfscreen.evaluation.metric import CONFIDENCE, Bool, Float, checked_truth
from vfscreen.evaluation.roc import auc_covariance

FigureOfMerit = Callable[[Bool, Float], float]


@dataclass(frozen=True)
class Covariances:
    """Of figures of merit, averaged: error variance; cov1 same reader, other condition; cov2 other reader, same
    condition; cov3 both differ."""

    error: float
    cov1: float
    cov2: float
    cov3: float


@dataclass(frozen=True)
class MeanDifference:
    """Mean over readers of one condition minus another's. df: infinite where readers are fixed."""

    first: int
    second: int
    difference: float
    standard_error: float
    df: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class ConditionMean:
    """Mean over readers under one condition, from that condition's data alone."""

    condition: int
    mean: float
    standard_error: float
    df: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class ReaderStudy:
    """figures: (conditions, readers). statistic, p_value: of equal means; null with one condition.

    df1, df2: of F (random readers) or of the chi square (fixed readers: df2 infinite).
    """

    readers: Literal["random", "fixed"]
    figures: Float
    covariances: Covariances
    mean_square_condition: float | None
    mean_square_reader: float | None
    mean_square_interaction: float | None
    statistic: float | None
    df1: float | None
    df2: float | None
    p_value: float | None
    differences: tuple[MeanDifference, ...]
    means: tuple[ConditionMean, ...]


def delong_figures(truth: Any, ratings: Any) -> tuple[Float, Float]:
    """Areas under the ROC curve (t, r) and their covariance (t r, t r) of ratings (t, r, n)."""
    values = _ratings(ratings)
    areas, covariance = auc_covariance(truth, values.reshape(-1, values.shape[-1]))
    return areas.reshape(values.shape[:2]), covariance


def jackknife_figures(truth: Any, ratings: Any, figure: FigureOfMerit, cases: Any = None) -> tuple[Float, Float]:
    """Any figure of merit (t, r) and its jackknife covariance (t r, t r).

    cases: indices of the cases the figure depends on (of sensitivity the positive ones); all by default.
    """
    flags, (values,) = checked_truth(truth, _ratings(ratings))
    flat = values.reshape(-1, values.shape[-1])
    used = np.arange(flags.size) if cases is None else np.asarray(cases, dtype=np.int64)
    left_out = np.empty((len(used), len(flat)))
    keep = np.ones(flags.size, dtype=np.bool_)
    for row, case in enumerate(used):
        keep[case] = False
        left_out[row] = [figure(flags[keep], rating[keep]) for rating in flat]
        keep[case] = True
    centred = left_out - left_out.mean(axis=0)
    covariance = (len(used) - 1) / len(used) * centred.T @ centred
    figures = np.array([figure(flags, rating) for rating in flat])
    return figures.reshape(values.shape[:2]), covariance


def reader_study(
    figures: Float,
    covariance: Float,
    readers: Literal["random", "fixed"] = "random",
    confidence: float = CONFIDENCE,
) -> ReaderStudy:
    """Analyse figures of merit (t, r) with covariance (t r, t r), r running fastest.

    readers: random - conclusions are of readers like these; fixed - of these readers alone. Cases are random.
    Raises ValueError for random readers if there is only one.
    """
    theta = np.asarray(figures, dtype=np.float64)
    t, r = theta.shape
    if readers == "random" and r < 2:
        raise ValueError("random readers need two readers at least; treat a single reader as fixed")
    blocks = np.asarray(covariance, dtype=np.float64).reshape(t, r, t, r)
    found = _covariances(blocks)
    grand, by_condition, by_reader = theta.mean(), theta.mean(axis=1), theta.mean(axis=0)
    residual = theta - by_condition[:, None] - by_reader[None] + grand
    ms_t = _mean_square(r * ((by_condition - grand) ** 2).sum(), t - 1) if t > 1 else None
    ms_r = _mean_square(t * ((by_reader - grand) ** 2).sum(), r - 1) if r > 1 else None
    ms_tr = _mean_square((residual**2).sum(), (t - 1) * (r - 1)) if t > 1 and r > 1 else None
    statistic = df1 = df2 = p_value = None
    differences: tuple[MeanDifference, ...] = ()
    if ms_t is not None:
        extra = max(found.cov2 - found.cov3, 0.0)
        df1 = float(t - 1)
        if readers == "random":
            assert ms_tr is not None
            denominator = ms_tr + r * extra
            df2 = denominator**2 / (ms_tr**2 / ((t - 1) * (r - 1))) if ms_tr > 0 else np.inf
            statistic = _quotient(ms_t, denominator)
            p_value = float(stats.f.sf(statistic, df1, df2)) if np.isfinite(df2) else _chi2(df1 * statistic, df1)
        else:
            denominator = found.error - found.cov1 + (r - 1) * extra
            df2 = np.inf
            statistic = _quotient(df1 * ms_t, denominator)
            p_value = _chi2(statistic, df1)
        error = float(np.sqrt(max(2 / r * denominator, 0.0)))
        pairs = combinations(range(t), 2)
        differences = tuple(_difference(a, b, by_condition, error, float(df2), confidence) for a, b in pairs)
    means = tuple(_mean(i, theta[i], blocks[i, :, i], readers, confidence) for i in range(t))
    return ReaderStudy(
        readers, theta, found, ms_t, ms_r, ms_tr, statistic, df1, df2, p_value, differences, means
    )  # fmt: skip


def model_against_readers(truth: Any, ratings: Any, score: Any, confidence: float = CONFIDENCE) -> ConditionMean:
    """Mean over random readers of (reader's area - model's area), the model being one and fixed.

    ratings: (r, n) of the readers. score: (n,) of the model. Differences are analysed like figures of merit
    of one condition, so that what reader and model share of the cases is taken account of.
    Raises ValueError for fewer than two readers.
    """
    values = np.asarray(ratings, dtype=np.float64)
    if values.ndim != 2 or len(values) < 2:
        raise ValueError("two readers at least are needed")
    areas, covariance = auc_covariance(truth, np.vstack([values, np.asarray(score, dtype=np.float64)[None]]))
    minus = np.hstack([np.eye(len(values)), -np.ones((len(values), 1))])
    return _mean(0, minus @ areas, minus @ covariance @ minus.T, "random", confidence)


def _ratings(ratings: Any) -> Float:
    values = np.asarray(ratings, dtype=np.float64)
    if values.ndim != 3:
        raise ValueError(f"ratings are (conditions, readers, cases), not {values.shape}")
    return values


def _covariances(blocks: Float) -> Covariances:
    t, r = blocks.shape[:2]
    same_t, same_r = np.eye(t, dtype=np.bool_), np.eye(r, dtype=np.bool_)
    by_pair = blocks.transpose(0, 2, 1, 3)  # (t, t, r, r)

    def mean(in_t: Bool, in_r: Bool) -> float:
        chosen = by_pair[in_t][:, in_r]
        return float(chosen.mean()) if chosen.size else 0.0

    return Covariances(mean(same_t, same_r), mean(~same_t, same_r), mean(same_t, ~same_r), mean(~same_t, ~same_r))


def _mean(
    condition: int, theta: Float, covariance: Float, readers: Literal["random", "fixed"], confidence: float
) -> ConditionMean:
    r = len(theta)
    off = ~np.eye(r, dtype=np.bool_)
    cov2 = max(float(covariance[off].mean()), 0.0) if r > 1 else 0.0
    if readers == "random":
        ms_r = _mean_square(((theta - theta.mean()) ** 2).sum(), r - 1)
        spread = ms_r + r * cov2
        df = spread**2 / (ms_r**2 / (r - 1)) if ms_r > 0 else np.inf
    else:
        spread, df = float(np.diag(covariance).mean()) + (r - 1) * cov2, np.inf
    error = float(np.sqrt(spread / r))
    half = _t_quantile(confidence, df) * error
    mean = float(theta.mean())
    return ConditionMean(condition, mean, error, float(df), mean - half, mean + half)


def _difference(first: int, second: int, means: Float, error: float, df: float, confidence: float) -> MeanDifference:
    difference = float(means[first] - means[second])
    half = _t_quantile(confidence, df) * error
    p_value = 2 * float(stats.t.sf(abs(_quotient(difference, error)), df))
    return MeanDifference(first, second, difference, error, df, difference - half, difference + half, p_value)


def _mean_square(sum_of_squares: float, df: int) -> float:
    """Rounding of equal figures of merit is no variance: below 1e-20 (differences of 1e-10) it is none."""
    found = float(sum_of_squares) / df
    return found if found > 1e-20 else 0.0


def _t_quantile(confidence: float, df: float) -> float:
    return float(stats.t.ppf(0.5 + confidence / 2, df))  # scipy takes infinite df as the normal


def _chi2(statistic: float, df: float) -> float:
    return float(stats.chi2.sf(statistic, df))


def _quotient(above: float, below: float) -> float:
    if below > 0:
        return above / below
    return 0.0 if above == 0 else float(np.inf)
