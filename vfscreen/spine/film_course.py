"""The spine's course through a radiograph: a smooth curve in pixels, measured in local body heights.

Belongs here: fitting the course through candidates or through bodies, positions and frames along it, the map between
the film's pixels and course coordinates. Does not belong here: finding the column (models), sampling (film_strip).

Course coordinates of a point are (u, v) in local body heights: `u` along the curve from its superior end, `v` across
it, towards the patient's back. A film has no reliable millimetres; a body's height is the ruler that every film has,
and a network that sees every vertebra at the same size needs no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import UnivariateSpline

Float = NDArray[np.float64]

STEP = 1.0 / 16.0
"""Body heights between the stored samples of a course."""
PRESENCE_MIN = 0.5
GAP_MAX = 3.0
"""Body heights: a longer hole in the candidates parts two runs; the longer one is the spine."""
STRAY = 0.9
"""Body heights off its neighbours: a candidate on something else (a rib, an arm, a cable)."""
LENGTH_MIN = 1.0
"""Body heights: shorter than a vertebra is no spine."""
_CONVERGED = 1e-9


@dataclass(frozen=True, eq=False)
class FilmCourse:
    """A course sampled every STEP body heights from superior to inferior.

    points_px: (N, 2) row, column; N >= 2. tangent: (N, 2) unit vectors towards the feet. body_height_px: (N,) the local
    body height. anterior_is_right: whether the patient faces the right edge of the picture as it is read with the
    column's superior end up; it decides which side of the curve is the back.
    """

    points_px: Float
    tangent: Float
    body_height_px: Float
    anterior_is_right: bool

    @classmethod
    def from_points(cls, points_px: Float, body_height_px: Float, anterior_is_right: bool) -> FilmCourse:
        """A course through (M, 2) points in order, superior first (M >= 2), with the body height (M,) at each.

        Raises ValueError for fewer than two distinct points or a body height that is not positive.
        """
        points = np.asarray(points_px, dtype=np.float64).reshape(-1, 2)
        height = np.broadcast_to(np.asarray(body_height_px, dtype=np.float64), (len(points),))
        if not (height > 0).all():
            raise ValueError("body heights must be positive")
        arc, points, height = _arc(points, height)
        # fine first: u is an integral along the curve, and a body height changes between two candidates
        fine = np.linspace(0.0, arc[-1], max(int(np.ceil(arc[-1])), 2) + 1)
        log_height = np.interp(fine, arc, np.log(height))
        place = np.stack([np.interp(fine, arc, points[:, a]) for a in (0, 1)], axis=1)
        per_px = np.exp(-log_height)
        u = np.concatenate([[0.0], np.cumsum(0.5 * (per_px[1:] + per_px[:-1]) * np.diff(fine))])
        count = max(int(np.floor(u[-1] / STEP)), 1)
        at = np.linspace(0.0, count * STEP, count + 1) if u[-1] >= STEP else np.array([0.0, STEP])
        samples = np.stack([np.interp(at, u, place[:, a]) for a in (0, 1)], axis=1)
        if u[-1] < STEP:  # shorter than a step: straight on
            samples[1] = samples[0] + (place[-1] - place[0]) * STEP / u[-1]
        tangent = _unit(np.gradient(samples, axis=0))
        return cls(samples, tangent, np.exp(np.interp(at, u, log_height)), anterior_is_right)

    @classmethod
    def fit(
        cls,
        points_px: Float,
        body_height_px: Float,
        anterior_is_right: bool,
        weights: Float | None = None,
        residual: float = 0.04,
    ) -> FilmCourse:
        """Smoothing cubic splines through noisy points in order, `residual` local body heights rms away from them.

        points_px: (M, 2), superior first, M >= 2. body_height_px: (M,), itself smoothed. weights: (M,), 0..1.
        """
        points = np.asarray(points_px, dtype=np.float64).reshape(-1, 2)
        arc, points, height = _arc(points, np.asarray(body_height_px, dtype=np.float64))
        w = np.ones(len(arc)) if weights is None or len(arc) != len(weights) else np.asarray(weights, dtype=np.float64)
        degree = min(3, len(arc) - 1)
        dense = np.linspace(0.0, arc[-1], max(int(np.ceil(arc[-1] / 2.0)), 2) + 1)
        scaled = w * np.median(height) / height
        smoothing = float(np.sum(w**2) * (residual * np.median(height)) ** 2)
        smooth = [UnivariateSpline(arc, points[:, a], w=scaled, k=degree, s=smoothing)(dense) for a in (0, 1)]
        log_height = np.log(height)
        line = np.polynomial.Polynomial.fit(arc, log_height, min(2, len(arc) - 1), w=w)
        return cls.from_points(np.stack(smooth, axis=1), np.exp(line(dense)), anterior_is_right)

    @property
    def length(self) -> float:
        """Body heights from one end to the other."""
        return STEP * (len(self.points_px) - 1)

    @cached_property
    def _samples(self) -> Float:
        return np.concatenate([self.points_px, self.tangent, np.log(self.body_height_px)[:, None]], axis=1)

    def frame_at(self, u: Float) -> tuple[Float, Float, Float, Float]:
        """Position (..., 2), tangent, posterior (..., 2) and body height (...) at u of any shape; straight and of
        constant scale beyond both ends."""
        u = np.asarray(u, dtype=np.float64)
        index = np.clip(u / STEP, 0.0, len(self.points_px) - 1.0)
        low = np.minimum(index.astype(np.intp), len(self.points_px) - 2)
        f = (index - low)[..., None]
        mixed = self._samples[low] * (1.0 - f) + self._samples[low + 1] * f
        tangent, height = _unit(mixed[..., 2:4]), np.exp(mixed[..., 4])
        beyond = ((u - index * STEP) * height)[..., None]
        return mixed[..., :2] + beyond * tangent, tangent, self._posterior(tangent), height

    def _posterior(self, tangent: Float) -> Float:
        """The tangent (row, column) turned a quarter: facing right, the back of a column that runs down is left."""
        turned = np.stack([tangent[..., 1], -tangent[..., 0]], axis=-1)
        return turned if self.anterior_is_right else -turned

    def to_px(self, uv: Float) -> Float:
        """(..., 2) course coordinates (u, v) -> (..., 2) pixels (row, column)."""
        uv = np.asarray(uv, dtype=np.float64)
        place, _, posterior, height = self.frame_at(uv[..., 0])
        return np.asarray(place + (uv[..., 1] * height)[..., None] * posterior)

    def from_px(self, row_column: Float, iterations: int = 60) -> Float:
        """(..., 2) pixels -> (..., 2) course coordinates (u, v): the inverse of `to_px` near the curve.

        Unique only for points nearer to the curve than its radius of curvature.
        """
        points = np.asarray(row_column, dtype=np.float64)
        flat = points.reshape(-1, 2)
        distance2 = ((flat[:, None, :] - self.points_px[None, :, :]) ** 2).sum(axis=2)
        u = distance2.argmin(axis=1).astype(np.float64) * STEP
        for _ in range(iterations):
            place, tangent, _, height = self.frame_at(u)
            step = 0.7 * ((flat - place) * tangent).sum(axis=1) / height
            u = u + step
            if not (np.abs(step) > _CONVERGED).any():
                break
        place, _, posterior, height = self.frame_at(u)
        v = ((flat - place) * posterior).sum(axis=1) / height
        return np.asarray(np.stack([u, v], axis=1).reshape(points.shape))


def fit_course(points_px: Float, presence: Float, body_height_px: Float, anterior_is_right: bool) -> FilmCourse | None:
    """The course through a locator's candidates, or None where they make no spine.

    points_px: (M, 2), superior first, M may be 0. presence: (M,) 0..1. body_height_px: (M,). Candidates below
    PRESENCE_MIN, strays and shorter runs are left out; the fit weighs the rest by presence.
    """
    points = np.asarray(points_px, dtype=np.float64).reshape(-1, 2)
    weight = np.asarray(presence, dtype=np.float64).reshape(-1)
    height = np.asarray(body_height_px, dtype=np.float64).reshape(-1)
    keep = (weight >= PRESENCE_MIN) & np.isfinite(points).all(axis=1) & np.isfinite(height) & (height > 0)
    points, weight, height = points[keep], weight[keep], height[keep]
    for _ in range(3):
        sound = ~_is_stray(points, height)
        if sound.all():
            break
        points, weight, height = points[sound], weight[sound], height[sound]
    run = _longest_run(points, height)
    points, weight, height = points[run], weight[run], height[run]
    if len(points) < 2 or np.linalg.norm(points[-1] - points[0]) < LENGTH_MIN * np.median(height):
        return None
    return FilmCourse.fit(points, height, anterior_is_right, weight)


def course_through(centres_px: Float, body_height_px: Float, anterior_is_right: bool, reach: float) -> FilmCourse:
    """The course through detected bodies, at their scale, for a further look.

    centres_px: (n, 2), superior first, n >= 2. body_height_px: (n,) as detected; a collapsed body's own height does not
    count, since the scale is a robust line through all of them. reach: local body heights that the course goes on
    beyond both outermost centres, straight as the three nearest ones lie.
    """
    centres = np.asarray(centres_px, dtype=np.float64)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(centres, axis=0), axis=1))])
    slope, level = _theil_sen_line(along, np.log(np.asarray(body_height_px, dtype=np.float64)))

    def height(at: Float) -> Float:
        return np.exp(level + slope * np.clip(at, 0.0, along[-1]))

    further = reach * height(along[[0, -1]])
    top = centres[0] - further[0] * _direction(centres[:3])
    bottom = centres[-1] + further[1] * _direction(centres[-3:])
    points = np.concatenate([[top], centres, [bottom]])
    at = np.concatenate([[-further[0]], along, [along[-1] + further[1]]])
    return FilmCourse.fit(points, height(at), anterior_is_right, None, residual=0.05)


def _direction(points: Float) -> Float:
    """Unit vector of the straight line through (n, 2) points in order."""
    middle = points - points.mean(axis=0)
    axis = np.linalg.svd(middle, full_matrices=False)[2][0]
    return np.asarray(axis if axis @ (points[-1] - points[0]) > 0 else -axis)


def _arc(points: Float, height: Float) -> tuple[Float, Float, Float]:
    """Arc lengths (M,), and points and heights without repeated ones. Raises ValueError for fewer than two."""
    if len(points) >= 2:
        step = np.linalg.norm(np.diff(points, axis=0), axis=1)
        keep = np.concatenate([[True], step > 1e-9])
        points, height = points[keep], height[keep]
        arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
        if len(points) >= 2:
            return arc, points, height
    raise ValueError("a course needs at least two distinct points")


def _unit(v: Float) -> Float:
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-12))


def _is_stray(points: Float, height: Float) -> NDArray[np.bool_]:
    """Far from a robust line through the neighbours within two body heights."""
    stray = np.zeros(len(points), dtype=bool)
    for i, point in enumerate(points):
        near = points[np.abs(points[:, 0] - point[0]) <= 2.0 * height[i]]
        if len(near) < 5:
            continue
        slope, level = _theil_sen_line(near[:, 0] - point[0], near[:, 1])
        stray[i] = abs(point[1] - level) > STRAY * height[i] * np.hypot(1.0, slope)
    return stray


def _theil_sen_line(x: Float, y: Float) -> tuple[float, float]:
    """Slope and value at x = 0 of a robust line."""
    i, j = np.triu_indices(len(x), 1)
    dx = x[j] - x[i]
    apart = np.abs(dx) > 1e-6
    slope = float(np.median((y[j] - y[i])[apart] / dx[apart])) if apart.any() else 0.0
    return slope, float(np.median(y - slope * x))


def _longest_run(points: Float, height: Float) -> NDArray[np.intp]:
    """Indices of the longest run without a hole; candidates are in order."""
    if len(points) == 0:
        return np.zeros(0, dtype=np.intp)
    step = np.linalg.norm(np.diff(points, axis=0), axis=1)
    cuts = np.flatnonzero(step > GAP_MAX * np.minimum(height[1:], height[:-1])) + 1
    runs = np.split(np.arange(len(points)), cuts)
    return max(runs, key=lambda run: float(np.linalg.norm(points[run[-1]] - points[run[0]])))
