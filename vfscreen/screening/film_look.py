"""Looks at a film's column: strips along a course, the vertebrae on them, and whether a further look is called for.

Belongs here: placing strips by what the last one showed. Does not belong here: the course's geometry
(spine.film_course), which detections make a column (spine.film_run), the networks (models), what is measured
(film_measure).

A locator reads the course and the bodies' size off a coarse picture; it may leave the column at the neck or the pelvis.
So the strip is cut again through the vertebrae that were found, and from the last of them straight on, until it suits
them and shows no further one: the column is followed body by body wherever the locator had led.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.upright import UprightFilm
from vfscreen.models.film_ports import FilmModels, LocatedFilmColumn
from vfscreen.models.ports import Detection
from vfscreen.spine.film_course import FilmCourse, course_through, fit_course
from vfscreen.spine.film_run import column_run
from vfscreen.spine.film_strip import FilmStrip, straighten_film

Float = NDArray[np.float64]

LOOKS_MAX = 5
SCORE_MIN = 0.3
"""Detections from this score on take part in the column (spine.film_run); which of them are reported is a setting."""
SIZE_LOG = 0.10
"""Bodies larger or smaller than the course says by more than this (log) are looked at again at their size."""
OFF_CENTRE = 0.25
"""Body heights: bodies farther beside the course have it moved through them."""
REACH = 2.0
"""Body heights beyond the outermost bodies, straight on, that a strip must have shown before the column ends there: the
next centre would lie at 1.3."""
GAIN = 0.1
"""Evidence by which a further look must be better than the one before."""
FACING_CERTAIN = 0.9
"""Below this probability of the side to which the patient faces both are looked at, and the better seen one counts,"""
FACING_WEIGHT = 1.0
"""each with this times the log of its probability: sides at 0.16 and 0.84 are three or four vertebrae apart."""


@dataclass(frozen=True, eq=False)
class Look:
    """One strip and the column that was found on it, superior first. evidence: what speaks for it (column_run)."""

    strip: FilmStrip
    detections: tuple[Detection, ...]
    evidence: float

    @property
    def centres(self) -> Float:
        """(n, 2) in strip pixels."""
        return np.array([d.centre for d in self.detections], dtype=np.float64).reshape(-1, 2)


def look_along(
    upright: UprightFilm,
    located: LocatedFilmColumn,
    anterior_is_right_probability: float,
    models: FilmModels,
) -> Look | None:
    """The best look at a located column, None where its candidates make no course."""
    right = anterior_is_right_probability >= 0.5
    sure = max(anterior_is_right_probability, 1.0 - anterior_is_right_probability) >= FACING_CERTAIN
    looks = []
    for facing in (right,) if sure else (right, not right):
        probability = anterior_is_right_probability if facing else 1.0 - anterior_is_right_probability
        course = fit_course(located.points_px, located.presence, located.body_height_px, facing)
        if course is None:
            return None
        look = _settled(upright, course, models)
        looks.append((look.evidence + FACING_WEIGHT * float(np.log(max(probability, 1e-3))), look))
    return max(looks, key=lambda weighed: weighed[0])[1]


def next_course(look: Look) -> FilmCourse | None:
    """The course that a further look should follow; None where this one's strip suits what was found on it."""
    if len(look.detections) < 2:
        return None
    course, spec = look.strip.course, look.strip.spec
    uv = look.strip.to_course(look.centres)
    sizes = np.array([body_size(d) for d in look.detections]) / spec.pixels_a_body_height
    heights_px = sizes * spec.pixels_a_body_height * look.strip.px_a_strip_px(look.centres)
    through = course_through(look.strip.to_px(look.centres), heights_px, course.anterior_is_right, REACH)
    fits = abs(float(np.median(np.log(sizes)))) <= SIZE_LOG and np.abs(uv[:, 1]).max() <= OFF_CENTRE
    ends = course.from_px(through.points_px[[0, -1]])
    beyond = max(-float(ends[0, 0]), float(ends[1, 0]) - course.length)
    followed = np.abs(ends[:, 1]).max() <= 2.0 * OFF_CENTRE and beyond <= 0.5 * spec.margin
    return None if fits and followed else through


def body_size(detection: Detection) -> float:
    """Height of a body in strip pixels: the mean of its three heights, never so small that it has no logarithm."""
    heights = np.linalg.norm(detection.keypoints[0::2] - detection.keypoints[1::2], axis=1)
    return max(float(heights.mean()), 1.0)


def _settled(upright: UprightFilm, course: FilmCourse, models: FilmModels) -> Look:
    """Looks until the strip suits its vertebrae and shows no further one; a look that shows less does not count."""
    look = _look(upright, course, models)
    for _ in range(LOOKS_MAX - 1):
        better = next_course(look)
        if better is None:
            break
        again = _look(upright, better, models)
        if again.evidence < look.evidence - 0.5:
            break
        gain, look = again.evidence - look.evidence, again
        if gain < GAIN:
            break
    return look


def _look(upright: UprightFilm, course: FilmCourse, models: FilmModels) -> Look:
    strip = straighten_film(upright.image, upright.inside, course, models.detector.strip_spec)
    found = [d for d in models.detector.detect(strip.image, strip.inside) if d.score >= SCORE_MIN]
    # a body whose centre the picture does not show was not seen
    shown = [d for d in found if bool(upright.contains(strip.to_px(d.centre)))]
    shown.sort(key=lambda d: float(d.centre[0]))
    centres = np.array([d.centre for d in shown], dtype=np.float64).reshape(-1, 2)
    heights = np.array([body_size(d) for d in shown]) / strip.spec.pixels_a_body_height
    run, evidence = column_run(strip.to_course(centres), heights, np.array([d.score for d in shown]))
    return Look(strip, tuple(shown[i] for i in run), evidence)
