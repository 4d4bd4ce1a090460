"""The spine centreline: a smooth curve in LPS mm with frames that do not twist.

Belongs here: fitting the curve, positions and frames along it, and the map between patient coordinates and
curve coordinates. Does not belong here: finding the spine (models), sampling pixels along it (spine.straighten).

Curve coordinates of a point are (s, p, l) in mm: arc length `s` from the superior end of the centreline,
`p` towards the patient's back and `l` towards the patient's left, both in the plane normal to the curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import UnivariateSpline

Float = NDArray[np.float64]

STEP_MM = 1.0
"""Arc length between the stored samples of a centreline."""

_CONVERGED_MM = 1e-9

_LEFT = np.array([1.0, 0.0, 0.0])


@dataclass(frozen=True, eq=False)
class Centreline:
    """A curve sampled every `STEP_MM` from superior to inferior.

    points_lps_mm: (N, 3), N >= 2. tangent, left, posterior: (N, 3) orthonormal frames at the samples; tangent points
    towards the feet, `left` is the patient's left made normal to the tangent (so the frames cannot twist about
    the curve), and posterior completes them.
    """

    points_lps_mm: Float
    tangent: Float
    left: Float
    posterior: Float

    @classmethod
    def from_points(cls, points_lps_mm: Float) -> Centreline:
        """A centreline through (M, 3) ordered points as they are (M >= 2), resampled to `STEP_MM`."""
        points = np.asarray(points_lps_mm, dtype=np.float64)
        if points.ndim != 2 or points.shape[0] < 2 or points.shape[1] != 3:
            raise ValueError(f"a centreline needs at least two points of three coordinates, not {points.shape}")
        if points[0, 2] < points[-1, 2]:
            points = points[::-1]
        arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
        keep = np.concatenate([[True], np.diff(arc) > 1e-9])
        arc, points = arc[keep], points[keep]
        if arc.size < 2:
            raise ValueError("a centreline of zero length")
        s = np.arange(0.0, arc[-1] + 1e-9, STEP_MM)
        if s.size < 2:
            s = np.array([0.0, arc[-1]])
        samples = np.stack([np.interp(s, arc, points[:, a]) for a in range(3)], axis=1)
        tangent = _unit(np.gradient(samples, axis=0))
        left = _unit(_LEFT - tangent * (tangent @ _LEFT)[:, None])
        posterior = _cross(left, tangent)
        return cls(samples, tangent, left, posterior)

    @classmethod
    def fit(cls, points_lps_mm: Float, weights: Float | None = None, residual_mm: float = 1.0) -> Centreline:
        """Smoothing cubic splines x(z), y(z) through noisy points, `residual_mm` rms away from them.

        points_lps_mm: (M, 3), M >= 2, any order, one a height z. weights: (M,), 0..1.
        Fewer than four points give a straight or quadratic piece.
        """
        points = np.asarray(points_lps_mm, dtype=np.float64)
        order = np.argsort(points[:, 2], kind="stable")
        points = points[order]
        w = np.ones(len(points)) if weights is None else np.asarray(weights, dtype=np.float64)[order]
        degree = min(3, len(points) - 1)
        if degree < 1:
            raise ValueError("a centreline needs at least two points")
        z = points[:, 2]
        dense = np.arange(z[0], z[-1] + 1e-9, STEP_MM)
        smoothing = float(np.sum(w**2) * residual_mm**2)
        x, y = (UnivariateSpline(z, points[:, a], w=w, k=degree, s=smoothing)(dense) for a in (0, 1))
        return cls.from_points(np.stack([x, y, dense], axis=1)[::-1])

    @cached_property
    def _samples(self) -> Float:
        return np.concatenate([self.points_lps_mm, self.tangent, self.left], axis=1)

    @property
    def length_mm(self) -> float:
        return STEP_MM * (len(self.points_lps_mm) - 1)

    def _frame_at(self, s_mm: Float) -> tuple[Float, Float, Float, Float]:
        """Position, tangent, left, posterior at arc lengths of any shape; straight beyond the two ends."""
        s = np.asarray(s_mm, dtype=np.float64)
        index = np.clip(s / STEP_MM, 0.0, len(self.points_lps_mm) - 1.0)
        low = np.minimum(index.astype(np.intp), len(self.points_lps_mm) - 2)
        f = (index - low)[..., None]

        # position, tangent and left side by side: one look-up for the three
        mixed = self._samples[low] * (1.0 - f) + self._samples[low + 1] * f
        tangent = _unit(mixed[..., 3:6])
        left = mixed[..., 6:]
        left = _unit(left - tangent * _dot(left, tangent))
        beyond = (s - index * STEP_MM)[..., None]
        return mixed[..., :3] + beyond * tangent, tangent, left, _cross(left, tangent)

    def to_lps(self, s_p_l_mm: Float) -> Float:
        """(..., 3) curve coordinates (s, p, l) -> (..., 3) LPS mm."""
        spl = np.asarray(s_p_l_mm, dtype=np.float64)
        centre, _, left, posterior = self._frame_at(spl[..., 0])
        return np.asarray(centre + spl[..., 1:2] * posterior + spl[..., 2:3] * left)

    def grid_to_lps(self, s_mm: Float, p_mm: Float, l_mm: Float) -> Float:
        """LPS mm of every (l, s, p) of a grid: (R,), (C,), (L,) -> (L, R, C, 3); one frame for each s."""
        centre, _, left, posterior = (f[None, :, None] for f in self._frame_at(s_mm))
        p, l_ = np.asarray(p_mm)[None, None, :, None], np.asarray(l_mm)[:, None, None, None]
        return np.asarray(centre + p * posterior + l_ * left)

    def from_lps(self, lps_mm: Float, iterations: int = 20) -> Float:
        """(..., 3) LPS mm -> (..., 3) curve coordinates (s, p, l): the inverse of `to_lps` near the curve.

        Fixed-point steps along the tangent from the nearest sample. Unique only for points nearer to the curve than
        its radius of curvature.
        """
        points = np.asarray(lps_mm, dtype=np.float64)
        flat = points.reshape(-1, 3)
        distance2 = ((flat[:, None, :] - self.points_lps_mm[None, :, :]) ** 2).sum(axis=2)
        s = distance2.argmin(axis=1).astype(np.float64) * STEP_MM
        for _ in range(iterations):
            centre, tangent, *_ = self._frame_at(s)
            step = 0.8 * _dot(flat - centre, tangent)[:, 0]
            s = s + step
            if not (np.abs(step) > _CONVERGED_MM).any():
                break
        centre, _, left, posterior = self._frame_at(s)
        offset = flat - centre
        spl = np.concatenate([s[:, None], _dot(offset, posterior), _dot(offset, left)], axis=1)
        return np.asarray(spl.reshape(points.shape))


def _dot(a: Float, b: Float) -> Float:
    """(..., 3), (..., 3) -> (..., 1)."""
    return np.asarray(np.einsum("...i,...i->...", a, b)[..., None])


def _unit(v: Float) -> Float:
    return np.asarray(v / np.sqrt(_dot(v, v)))


def _cross(a: Float, b: Float) -> Float:
    """np.cross of (..., 3), which spends most of its time on arguments of other shapes."""
    out = np.empty(np.broadcast_shapes(a.shape, b.shape))
    for i, (j, k) in enumerate(((1, 2), (2, 0), (0, 1))):
        out[..., i] = a[..., j] * b[..., k] - a[..., k] * b[..., j]
    return out
