"""Agreement of two measurements of the same thing: bias and limits of agreement.

Bland and Altman, Lancet 327 (1986) 307-310. With several vertebrae of a patient, each with a true value of its own,
the variance of a difference is the sum of a part between and a part within patients, from a one-way analysis of
variance (Bland and Altman, J Biopharm Stat 17 (2007) 571-582, section 3). Belongs here: differences. Does not belong
here: which measurements are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from vfscreen.evaluation.metric import Float
from vfscreen.evaluation.resampling import Bootstrap, cluster_codes, drawn_totals, percentile_interval

MULTIPLIER = 1.959963984540054
Interval = tuple[float, float] | None


@dataclass(frozen=True)
class LimitsOfAgreement:
    """Of first minus second. n: pairs; patients: patients among them.

    sd: of one difference. sd_between, sd_within: its two parts; null where no patient has several pairs.
    method: "bland_altman_1986" (a pair a patient; t intervals, standard error of a limit sqrt(3 sd^2/n)) or
    "bland_altman_2007" (several a patient; intervals from drawing patients).
    slope: of the difference over the mean of both: a bias that grows with size; null where all means are equal.
    """

    n: int
    patients: int
    bias: float
    bias_interval: Interval
    sd: float
    sd_between: float | None
    sd_within: float | None
    low: float
    low_interval: Interval
    high: float
    high_interval: Interval
    slope: float | None
    mean_absolute_difference: float
    method: str


def limits_of_agreement(
    first: Any,
    second: Any,
    clusters: Sequence[Any] | None = None,
    bootstrap: Bootstrap | None = None,
    multiplier: float = MULTIPLIER,
) -> LimitsOfAgreement:
    """first, second: (n,) measurements in one unit. clusters: the patient of each pair; None where each has one.

    multiplier: of the SD; 1.96 covers 95 % of differences. Raises ValueError for fewer than two pairs.
    """
    bootstrap = bootstrap or Bootstrap()
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or not np.isfinite([a, b]).all():
        raise ValueError("two finite measurements of each item are needed")
    if a.size < 2:
        raise ValueError("limits of agreement need two pairs at least")
    difference, mean = a - b, (a + b) / 2
    slope = float(stats.linregress(mean, difference).slope) if np.ptp(mean) > 0 else None
    codes, patients = cluster_codes(clusters, a.size)
    shared: dict[str, Any] = {"n": a.size, "patients": patients, "bias": float(difference.mean()), "slope": slope}
    shared["mean_absolute_difference"] = float(np.abs(difference).mean())
    if patients == a.size:
        return LimitsOfAgreement(**shared, **_single(difference, bootstrap.confidence, multiplier))
    return LimitsOfAgreement(**shared, **_repeated(difference, codes, patients, bootstrap, multiplier))


def _single(difference: Float, confidence: float, multiplier: float) -> dict[str, Any]:
    n, bias, sd = difference.size, float(difference.mean()), float(difference.std(ddof=1))
    t = float(stats.t.ppf(0.5 + confidence / 2, n - 1))
    half, half_limit = t * sd / np.sqrt(n), t * np.sqrt(3 * sd**2 / n)
    low, high = bias - multiplier * sd, bias + multiplier * sd
    return {
        "bias_interval": (bias - half, bias + half),
        "sd": sd,
        "sd_between": None,
        "sd_within": None,
        "low": low,
        "low_interval": (low - half_limit, low + half_limit),
        "high": high,
        "high_interval": (high - half_limit, high + half_limit),
        "method": "bland_altman_1986",
    }


def _repeated(difference: Float, codes: Any, patients: int, bootstrap: Bootstrap, multiplier: float) -> dict[str, Any]:
    size = np.bincount(codes, minlength=patients).astype(np.float64)
    total = np.bincount(codes, weights=difference, minlength=patients)
    squares = np.bincount(codes, weights=difference**2, minlength=patients)
    # Everything the analysis of variance needs is a sum over patients, so a draw of patients is a matrix product.
    parts = np.stack([np.ones(patients), size, total, squares, total**2 / size, size**2], axis=1)
    bias, between, within = (float(v[0]) for v in _variances(parts.sum(axis=0, keepdims=True)))
    if not np.isfinite([between, within]).all():  # all pairs are one patient's
        between, within = 0.0, float(difference.var(ddof=1))
    sd = float(np.sqrt(between + within))
    intervals: list[Interval] = [None, None, None]
    if patients > 1:
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = _variances(drawn_totals(parts, bootstrap))
        spread = multiplier * np.sqrt(drawn[1] + drawn[2])
        wanted = (drawn[0], drawn[0] - spread, drawn[0] + spread)
        intervals = [percentile_interval(v, bootstrap.confidence) for v in wanted]
    return {
        "bias_interval": intervals[0],
        "sd": sd,
        "sd_between": float(np.sqrt(between)),
        "sd_within": float(np.sqrt(within)),
        "low": bias - multiplier * sd,
        "low_interval": intervals[1],
        "high": bias + multiplier * sd,
        "high_interval": intervals[2],
        "method": "bland_altman_2007",
    }


def _variances(sums: Float) -> tuple[Float, Float, Float]:
    """(b, 6) totals -> bias, variance between and within patients, (b,) each. A negative part is taken as zero."""
    k, n, total, squares, group, sizes = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        within = np.maximum(squares - group, 0.0) / (n - k)
        mean_square_between = (group - total**2 / n) / (k - 1)
        divisor = (n - sizes / n) / (k - 1)
        between = np.maximum((mean_square_between - within) / divisor, 0.0)
        return total / n, between, within
