"""Probabilities of the grades from the uncertainty of the heights, joined with the network's fracture score.

Belongs here: the propagation and the joining. Does not belong here: how uncertain a key point is (models), calibration
of a release on cases (its card).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri
from scipy.stats import qmc

from vfscreen.morphometry.genant import BORDER_TOLERANCE, BORDERS
from vfscreen.morphometry.reference import adjusted_height_loss

Float = NDArray[np.float64]

_LOG2_NODES = 10
_CLIP = 1e-3
"""No combination of an approximate measurement error and an uncalibrated score is surer than this."""


@cache
def _normal_nodes() -> Float:
    """(1024, 3) equally weighted nodes of the standard normal: an unscrambled Sobol net, the same every time."""
    net = qmc.Sobol(d=3, scramble=False).random_base2(_LOG2_NODES)
    nodes = ndtri(net + 0.5 / 2**_LOG2_NODES)  # cell centres: the net's first point is the origin
    return np.asarray(nodes, dtype=np.float64)


def grade_probabilities(
    heights_mm: Float, height_sd_mm: Float, level: str | None, expected_height_mm: float | None = None
) -> Float:
    """P(grade >= 1), P(grade >= 2), P(grade >= 3) of the adjusted loss, (3,), from the heights' uncertainty alone.

    heights_mm, height_sd_mm: (3,). The three heights vary independently and normally; a height cannot fall below 0. The
    integral is a fixed quasi-random quadrature of 1,024 nodes: no random numbers, resolution 0.001. With
    zero uncertainty each is 0 or 1.
    """
    samples = np.maximum(np.asarray(heights_mm) + _normal_nodes() * np.asarray(height_sd_mm), 0.0)
    loss = adjusted_height_loss(samples, level, expected_height_mm)
    return np.array([np.mean(loss >= border - BORDER_TOLERANCE) for border in BORDERS])


def join_fracture_score(probabilities: Float, fracture_score: float, weight: float) -> Float:
    """Join probabilities from the heights with the network's own score: evidence adds up in log-odds.

    probabilities: (...,) 0..1. fracture_score: 0..1, where 0.5 says nothing. weight: 0 leaves the probabilities (but
    for the clip to 0.001..0.999), 1 takes the score as an independent observation, which it is not (it sees the
    same pixels), hence less. Order between the probabilities is kept.
    """
    score = np.clip(fracture_score, 0.01, 0.99)
    odds = logit(np.clip(np.asarray(probabilities, dtype=np.float64), _CLIP, 1.0 - _CLIP))
    return np.asarray(np.clip(expit(odds + weight * logit(score)), _CLIP, 1.0 - _CLIP))


@dataclass(frozen=True)
class GradeCalibration:
    """Stated into observed: log-odds of P(grade >= 1), P(grade >= 2), P(grade >= 3) are `offset + slope * log-odds`.

    Noise in three heights makes min/max smaller on the average, so that uncalibrated probabilities of a loss come out
    too high between the extremes. Fitted by a release on cases it has not seen; its card says which.
    """

    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    slope: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def apply(self, probabilities: Float) -> Float:
        """(..., 3) -> (..., 3); a higher grade is never likelier than a lower one."""
        odds = logit(np.clip(np.asarray(probabilities, dtype=np.float64), _CLIP, 1.0 - _CLIP))
        calibrated = np.clip(expit(np.asarray(self.offset) + np.asarray(self.slope) * odds), _CLIP, 1.0 - _CLIP)
        return np.asarray(np.minimum.accumulate(calibrated, axis=-1))


def probability_of_any(probabilities: Iterable[float]) -> float | None:
    """P(at least one), taking vertebrae as independent; None without any."""
    values = list(probabilities)
    if not values:
        return None
    return float(1.0 - np.prod([1.0 - p for p in values]))
