"""What a film case says of the column: its course, and how a network's idea of that course may be off.

Belongs here: the true course of a case and its random disturbance. Does not belong here: samples, cases.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vfscreen.spine.film_course import FilmCourse
from vfscreen.training.film_cases import FilmCase

Float = NDArray[np.float64]

BEYOND = 4.0
"""Body heights that a disturbed course is drawn beyond the outermost bodies."""


def body_heights_px(points: Float) -> Float:
    """(V, 6, 2) -> (V, 3): anterior, middle, posterior."""
    return np.asarray(np.linalg.norm(points[:, 0::2] - points[:, 1::2], axis=-1))


def true_course(points: Float, anterior_is_right: bool) -> FilmCourse:
    """The course through bodies (V, 6, 2), V >= 2, superior first; its ruler is a robust line through the log of their
    largest heights, which a fractured body hardly moves."""
    centres = points.mean(axis=1)
    largest = np.log(body_heights_px(points).max(axis=1))
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(centres, axis=0), axis=1))])
    i, j = np.triu_indices(len(arc), 1)
    slope = float(np.median((largest[j] - largest[i]) / (arc[j] - arc[i])))
    level = float(np.median(largest - slope * arc))
    return FilmCourse.fit(centres, np.exp(level + slope * arc), anterior_is_right, residual=0.02)


def known_rows(case: FilmCase) -> tuple[float, float]:
    """First and last row between which every vertebra of a case has points. Below a fifth lumbar body is the sacrum:
    nothing more to come."""
    first, last = case.known_rows
    return first, float(case.soft.shape[0]) if case.levels[-1] in ("L5", "L6") else last


def case_points(case: FilmCase) -> Float:
    """(V, 6, 2), superior first."""
    return np.asarray(case.points, dtype=np.float64)


def disturbed(course: FilmCourse, rng: np.random.Generator, strength: float = 1.0) -> FilmCourse:
    """The course as a locator might give it: swaying off the bodies, with another ruler."""
    u = np.arange(-BEYOND, course.length + BEYOND, 0.25)
    v = np.clip(rng.normal(0, 0.08), -0.2, 0.2) * strength + _sway(u, rng, 0.09 * strength)
    log_scale = np.clip(rng.normal(0, 0.15), -0.36, 0.36) + _sway(u, rng, 0.05)
    heights = course.frame_at(u)[3] * np.exp(log_scale * strength)
    return FilmCourse.from_points(course.to_px(np.stack([u, v], axis=1)), heights, course.anterior_is_right)


def _sway(u: Float, rng: np.random.Generator, sd: float) -> Float:
    """A smooth random function of u."""
    total = np.zeros_like(u)
    for _ in range(2):
        total += rng.normal(0, sd) * np.sin(2 * np.pi * u / rng.uniform(4, 16) + rng.uniform(0, 2 * np.pi))
    return total
