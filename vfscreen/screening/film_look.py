"""Looks at a film's column: strips along a course, the vertebrae on them, and whether a further look is called for.

Belongs here: placing strips by what the last one showed. Does not belong here: the course's geometry
(spine.film_course), the networks (models), what is measured (film_measure).

A locator reads the course and the bodies' size off a coarse picture. The detector was trained on bodies of one size in
the middle of the strip; where the bodies that it found are larger, smaller or beside the middle, or lie beyond the ends
of the course, the strip is cut again through them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.upright import UprightFilm
from vfscreen.models.film_ports import FilmModels, LocatedFilmColumn
from vfscreen.models.ports import Detection
from vfscreen.spine.film_course import STEP, FilmCourse, fit_course, refit_through
from vfscreen.spine.film_strip import FilmStrip, straighten_film

Float = NDArray[np.float64]

LOOKS_MAX = 3
SIZE_LOG = 0.10
"""Bodies larger or smaller than the course says by more than this (log) are looked at again at their size."""
OFF_CENTRE = 0.25
"""Body heights: bodies farther beside the course have it moved through them."""
BEYOND = 0.25
"""Body heights: a body whose centre lies so far beyond an end of the course has the course lengthened to it, since the
next one may lie beyond the strip."""
FACING_CERTAIN = 0.9
"""Below this probability of the side to which the patient faces both are looked at, and the better seen one counts,"""
FACING_WEIGHT = 2.0
"""each with this times the log of its probability: sides at 0.16 and 0.84 are 3.3 vertebrae apart."""


@dataclass(frozen=True, eq=False)
class Look:
    """One strip and what was found on it, superior first."""

    strip: FilmStrip
    detections: tuple[Detection, ...]

    @property
    def evidence(self) -> float:
        """Vertebrae seen, each as far as it is believed."""
        return float(sum(d.score for d in self.detections))

    @property
    def centres(self) -> Float:
        """(n, 2) in strip pixels."""
        return np.array([d.centre for d in self.detections], dtype=np.float64).reshape(-1, 2)


def look_along(
    upright: UprightFilm,
    located: LocatedFilmColumn,
    anterior_is_right_probability: float,
    models: FilmModels,
    detection_threshold: float,
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
        look = _settled(upright, course, models, detection_threshold)
        looks.append((look.evidence + FACING_WEIGHT * float(np.log(max(probability, 1e-3))), look))
    return max(looks, key=lambda weighed: weighed[0])[1]


def next_course(look: Look) -> FilmCourse | None:
    """The course that a further look should follow; None where this one's strip suits what was found on it."""
    if len(look.detections) < 2:
        return None
    course, spec = look.strip.course, look.strip.spec
    uv = look.strip.to_course(look.centres)
    sizes = np.array([body_size(d) for d in look.detections]) / spec.pixels_a_body_height
    outside = max(-float(uv[0, 0]), float(uv[-1, 0]) - course.length)
    fits = abs(float(np.median(np.log(sizes)))) <= SIZE_LOG and np.abs(uv[:, 1]).max() <= OFF_CENTRE
    if fits and outside <= BEYOND:
        return None
    centres_px = look.strip.to_px(look.centres)
    heights_px = sizes * spec.pixels_a_body_height * look.strip.px_a_strip_px(look.centres)
    return refit_through(_reaching(course, float(uv[0, 0]), float(uv[-1, 0])), centres_px, heights_px)


def body_size(detection: Detection) -> float:
    """Height of a body in strip pixels: the mean of its three heights, never so small that it has no logarithm."""
    heights = np.linalg.norm(detection.keypoints[0::2] - detection.keypoints[1::2], axis=1)
    return max(float(heights.mean()), 1.0)


def _settled(upright: UprightFilm, course: FilmCourse, models: FilmModels, threshold: float) -> Look:
    """Looks until the strip suits its vertebrae; a further look that shows less than the one before does not count."""
    look = _look(upright, course, models, threshold)
    for _ in range(LOOKS_MAX - 1):
        better = next_course(look)
        if better is None:
            break
        again = _look(upright, better, models, threshold)
        if again.evidence < look.evidence - 0.5:
            break
        look = again
    return look


def _look(upright: UprightFilm, course: FilmCourse, models: FilmModels, threshold: float) -> Look:
    strip = straighten_film(upright.image, upright.inside, course, models.detector.strip_spec)
    found = [d for d in models.detector.detect(strip.image, strip.inside) if d.score >= threshold]
    # a body whose centre the picture does not show was not seen
    shown = [d for d in found if bool(upright.contains(strip.to_px(d.centre)))]
    return Look(strip, tuple(sorted(shown, key=lambda d: float(d.centre[0]))))


def _reaching(course: FilmCourse, first_u: float, last_u: float) -> FilmCourse:
    """The course, straight on where bodies lie beyond its ends."""
    start, end = min(first_u, 0.0), max(last_u, course.length)
    if start == 0.0 and end == course.length:
        return course
    u = np.linspace(start, end, int(np.ceil((end - start) / STEP)) + 1)
    place, _, _, height = course.frame_at(u)
    return FilmCourse.from_points(place, height, course.anterior_is_right)
