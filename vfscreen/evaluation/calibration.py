"""Do probabilities come true: reliability, Brier score, expected calibration error, recalibration line.

Brier, Mon Weather Rev 78 (1950) 1-3; Cox, Biometrika 45 (1958) 562-565 for intercept and slope; Van Calster et al.,
BMC Med 17 (2019) 230 for what to report. Belongs here: probability against outcome. Does not belong here: fitting a
calibration that the product then uses (models).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import statsmodels.api as sm
from scipy import stats
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.metrics import brier_score_loss
from statsmodels.tools.sm_exceptions import PerfectSeparationError, PerfectSeparationWarning

from vfscreen.evaluation.binary import wilson
from vfscreen.evaluation.metric import CONFIDENCE, Bool, Float, Int, Metric, checked_truth, source_of
from vfscreen.evaluation.resampling import Bootstrap, bootstrap_sums, cluster_codes, cluster_sums

BINS = 10
LOGIT_LIMIT = 1e-6
"""Probabilities nearer to 0 or 1 than this are taken as this far away, so that their log-odds exist."""


_NO_INFORMATION = 1e-9
"""Below this the log-odds leave nothing to estimate a standard error from."""


@dataclass(frozen=True)
class ReliabilityBin:
    """Items whose probability is in [low, high), the last bin with 1. mean_probability, observed: null where n = 0."""

    low: float
    high: float
    n: int
    positives: int
    mean_probability: float | None
    observed: float | None
    observed_low: float | None
    observed_high: float | None


def _bin_of(probability: Float, bins: int) -> Int:
    return np.asarray(np.minimum((probability * bins).astype(np.int64), bins - 1))


def _probabilities(truth: Any, probability: Any) -> tuple[Bool, Float]:
    flags, (values,) = checked_truth(truth, probability)
    if ((values < 0) | (values > 1)).any():
        raise ValueError("a probability is outside 0..1")
    return flags, values


def reliability(truth: Any, probability: Any, bins: int = BINS) -> list[ReliabilityBin]:
    """Bins of equal width, empty ones too. observed: share of positives with Wilson's interval."""
    flags, values = _probabilities(truth, probability)
    place = _bin_of(values, bins)
    found = []
    for index in range(bins):
        inside = place == index
        n, positives = int(inside.sum()), int(flags[inside].sum())
        ends = wilson(positives, n) or (None, None)
        mean = float(values[inside].mean()) if n else None
        found.append(
            ReliabilityBin(index / bins, (index + 1) / bins, n, positives, mean, positives / n if n else None, *ends)
        )
    return found


def brier_score(
    truth: Any, probability: Any, clusters: Sequence[Any] | None = None, bootstrap: Bootstrap | None = None
) -> list[Metric]:
    """Mean squared error of the probabilities, and the skill: 1 - Brier / Brier of always saying the prevalence."""
    bootstrap = bootstrap or Bootstrap()
    flags, values = _probabilities(truth, probability)
    codes, patients = cluster_codes(clusters, flags.size)
    shared: dict[str, Any] = {"n": int(flags.size), "clusters": patients, "source": source_of(brier_score)}
    if not flags.size:
        return [Metric(name, None, reason="there are no items", **shared) for name in ("brier", "brier_skill")]
    per_item = np.stack([np.ones(flags.size), (values - flags) ** 2, flags.astype(np.float64)], axis=1)
    sums = cluster_sums(per_item, codes, patients)

    def skill(totals: Float) -> Float:
        prevalence = totals[:, 2] / totals[:, 0]
        return np.asarray(1 - totals[:, 1] / totals[:, 0] / (prevalence * (1 - prevalence)))

    low, high = bootstrap_sums(sums, lambda t: np.asarray(t[:, 1] / t[:, 0]), bootstrap) or (None, None)
    brier = Metric("brier", float(brier_score_loss(flags, values)), low, high, "cluster_bootstrap", **shared)
    if flags.all() or not flags.any():
        return [brier, Metric("brier_skill", None, reason="the reference has only one class", **shared)]
    low, high = bootstrap_sums(sums, skill, bootstrap) or (None, None)
    estimate = float(skill(sums.sum(axis=0, keepdims=True))[0])
    return [brier, Metric("brier_skill", estimate, low, high, "cluster_bootstrap", **shared)]


def expected_calibration_error(
    truth: Any,
    probability: Any,
    clusters: Sequence[Any] | None = None,
    bootstrap: Bootstrap | None = None,
    bins: int = BINS,
) -> Metric:
    """Mean over items of |observed share - mean probability| of their bin, bins of equal width (Naeini et al., AAAI
    2015)."""
    bootstrap = bootstrap or Bootstrap()
    flags, values = _probabilities(truth, probability)
    codes, patients = cluster_codes(clusters, flags.size)
    name, source = "expected_calibration_error", source_of(expected_calibration_error)
    if not flags.size:
        return Metric(name, None, reason="there are no items", source=source)
    gap = np.zeros((flags.size, bins))
    gap[np.arange(flags.size), _bin_of(values, bins)] = flags - values
    sums = cluster_sums(np.column_stack([gap, np.ones(flags.size)]), codes, patients)

    def error(totals: Float) -> Float:
        return np.asarray(np.abs(totals[:, :-1]).sum(axis=1) / totals[:, -1])

    low, high = bootstrap_sums(sums, error, bootstrap) or (None, None)
    estimate = float(error(sums.sum(axis=0, keepdims=True))[0])
    note = f"{bins} bins of equal width; biased upwards where bins are small"
    return Metric(
        name, estimate, low, high, "cluster_bootstrap", n=int(flags.size), clusters=patients, note=note, source=source
    )


def recalibration(
    truth: Any, probability: Any, clusters: Sequence[Any] | None = None, confidence: float = CONFIDENCE
) -> list[Metric]:
    """Intercept (calibration in the large: log-odds to add with the slope held at 1) and slope of the log-odds.

    0 and 1 are perfect. A slope below 1: probabilities too extreme. Standard errors allow for several items a patient.
    """
    flags, values = _probabilities(truth, probability)
    codes, patients = cluster_codes(clusters, flags.size)
    names = ("calibration_intercept", "calibration_slope")
    shared: dict[str, Any] = {"n": int(flags.size), "clusters": patients, "source": source_of(recalibration)}
    if flags.all() or not flags.any():
        return [Metric(name, None, reason="the reference has only one class", **shared) for name in names]
    clipped = np.clip(values, LOGIT_LIMIT, 1 - LOGIT_LIMIT)
    log_odds = np.log(clipped / (1 - clipped))
    at_limit = int((clipped != values).sum())
    if at_limit == flags.size:
        reason = "all probabilities are 0 or 1: they have no log-odds"
        return [Metric(name, None, reason=reason, **shared) for name in names]
    shared["note"] = f"{at_limit} probabilities of 0 or 1 taken as {LOGIT_LIMIT:g} from it" if at_limit else None
    kind = "clustered_sandwich" if patients < flags.size else "sandwich"
    found = [_intercept(flags, log_odds, codes, patients, confidence, kind, shared)]
    if np.ptp(log_odds) == 0:
        return [*found, Metric(names[1], None, reason="all probabilities are equal", **shared)]
    return [*found, _slope(flags, log_odds, codes, confidence, kind, shared)]


def _intercept(
    truth: Bool, log_odds: Float, codes: Int, patients: int, confidence: float, kind: str, shared: dict[str, Any]
) -> Metric:
    """The shift of all log-odds at which as many positives are expected as there are.

    One equation with one root. Iterated least squares, as statsmodels has it, runs off to infinity on it when some
    log-odds are extreme; in other cases the two agree.
    """
    shift = float(brentq(lambda a: float((truth - expit(a + log_odds)).sum()), -60.0, 60.0, xtol=1e-12))
    expected = expit(shift + log_odds)
    residual = cluster_sums(truth - expected, codes, patients)
    information = float((expected * (1 - expected)).sum())
    name = "calibration_intercept"
    if patients < 2 or information < _NO_INFORMATION:
        return Metric(name, shift, **{**shared, "note": "no interval: too little is known of the standard error"})
    variance = patients / (patients - 1) * float((residual**2).sum()) / information**2
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * np.sqrt(variance)
    return Metric(name, shift, shift - half, shift + half, kind, **shared)


def _slope(truth: Bool, log_odds: Float, codes: Int, confidence: float, kind: str, shared: dict[str, Any]) -> Metric:
    """Slope of a logistic regression on the log-odds, with clustered standard errors."""
    name, separated = "calibration_slope", "the probabilities separate the classes completely"
    design = np.column_stack([np.ones_like(log_odds), log_odds])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PerfectSeparationWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            result = sm.GLM(truth.astype(np.float64), design, family=sm.families.Binomial()).fit(
                cov_type="cluster", cov_kwds={"groups": codes}
            )
    except (PerfectSeparationError, PerfectSeparationWarning, np.linalg.LinAlgError):
        return Metric(name, None, reason=separated, **shared)
    low, high = result.conf_int(alpha=1 - confidence)[-1]
    if not result.converged or not np.isfinite([result.params[-1], low, high]).all():
        return Metric(name, None, reason="the regression did not converge", **shared)
    return Metric(name, float(result.params[-1]), float(low), float(high), kind, **shared)
