"""From a locator's candidates to one centreline: reject strays, keep one run, fit.

Belongs here: robustness against what a network gets wrong. Does not belong here: the curve (geometry.curve).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.curve import Centreline

Float = NDArray[np.float64]

PRESENCE_MIN = 0.5
GAP_MAX_MM = 45.0
"""A longer hole in the candidates than a vertebra and its discs parts two runs; the longer one is the spine."""
LENGTH_MIN_MM = 30.0
"""Shorter than a vertebra is no spine."""
STRAY_MM = 12.0
"""A candidate farther from its neighbours' median is on something else (a rib, the aorta, the table)."""
_WINDOW_MM = 30.0


def fit_centreline(points_lps_mm: Float, presence: Float, residual_mm: float = 1.0) -> Centreline | None:
    """The spine's centreline through candidates, or None where they make no spine.

    points_lps_mm: (M, 3) in any order, M may be 0. presence: (M,) 0..1. Candidates below PRESENCE_MIN, strays and
    shorter runs are left out; the fit weighs the rest by presence.
    """
    points = np.asarray(points_lps_mm, dtype=np.float64).reshape(-1, 3)
    weight = np.asarray(presence, dtype=np.float64).reshape(-1)
    keep = (weight >= PRESENCE_MIN) & np.isfinite(points).all(axis=1)
    points, weight = points[keep], weight[keep]
    order = np.argsort(points[:, 2], kind="stable")
    points, weight = _one_a_height(points[order], weight[order])
    for _ in range(3):
        sound = ~_is_stray(points)
        if sound.all():
            break
        points, weight = points[sound], weight[sound]
    points, weight = _longest_run(points, weight)
    if len(points) < 2 or points[-1, 2] - points[0, 2] < LENGTH_MIN_MM:
        return None
    return Centreline.fit(points, weight, residual_mm)


def refit_through(centreline: Centreline, centres_lps_mm: Float) -> Centreline:
    """The centreline moved sideways so that it passes through body centres, for a second look.

    centres_lps_mm: (n, 3), n >= 2. Between the centres the correction is interpolated, beyond them held, so that the
    ends keep their course.
    """
    spl = centreline.from_lps(np.asarray(centres_lps_mm, dtype=np.float64))
    order = np.argsort(spl[:, 0])
    spl = spl[order]
    s = np.arange(len(centreline.points_lps_mm), dtype=np.float64)
    p, l_ = (np.interp(s, spl[:, 0], spl[:, a]) for a in (1, 2))
    moved = centreline.to_lps(np.stack([s, p, l_], axis=1))
    # smoothed again: interpolated corrections have corners, and frames turn at corners
    ascending = moved[np.argsort(moved[:, 2], kind="stable")]
    apart = np.concatenate([[True], np.diff(ascending[:, 2]) > 1e-6])
    return Centreline.fit(ascending[apart], None, residual_mm=0.7)


def _one_a_height(points: Float, weight: Float) -> tuple[Float, Float]:
    """Of candidates at the same height the one of highest presence: the fit is a function of height."""
    keep: list[int] = []
    for i in range(len(points)):
        if keep and points[i, 2] - points[keep[-1], 2] < 1e-3:
            if weight[i] > weight[keep[-1]]:
                keep[-1] = i
        else:
            keep.append(i)
    return points[keep], weight[keep]


def _is_stray(points: Float) -> NDArray[np.bool_]:
    """Far from a robust line through the neighbours within a window."""
    stray = np.zeros(len(points), dtype=bool)
    for i, point in enumerate(points):
        near = points[(np.abs(points[:, 2] - point[2]) <= _WINDOW_MM)]
        if len(near) < 5:
            continue
        dz = near[:, 2] - point[2]
        slope = [_theil_sen(dz, near[:, a]) for a in (0, 1)]
        expected = [float(np.median(near[:, a] - slope[a] * dz)) for a in (0, 1)]
        stray[i] = np.hypot(point[0] - expected[0], point[1] - expected[1]) > STRAY_MM
    return stray


def _theil_sen(x: Float, y: Float) -> float:
    """Median slope of all pairs; 0 where no two differ in x."""
    i, j = np.triu_indices(len(x), 1)
    dx = x[j] - x[i]
    apart = np.abs(dx) > 1e-6
    return float(np.median((y[j] - y[i])[apart] / dx[apart])) if apart.any() else 0.0


def _longest_run(points: Float, weight: Float) -> tuple[Float, Float]:
    if len(points) == 0:
        return points, weight
    step = np.abs(np.diff(points, axis=0))
    # a column leans by at most its own slope: a step sideways much larger than down leads onto another bone
    sideways = np.hypot(step[:, 0], step[:, 1]) > STRAY_MM + 1.5 * step[:, 2]
    cuts = np.flatnonzero((step[:, 2] > GAP_MAX_MM) | sideways) + 1
    runs = np.split(np.arange(len(points)), cuts)
    best = max(runs, key=lambda run: points[run[-1], 2] - points[run[0], 2])
    return points[best], weight[best]
