"""From points on a strip to findings on a film: heights, losses, grades, probabilities.

Belongs here: what of a film's vertebra is measured, in which unit, and which is cut by the picture's edge. Does not
belong here: the definitions (morphometry), what is judged of one vertebra (measure.judge), how the points were found
(film_look).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.upright import UprightFilm
from vfscreen.models.ports import Detection
from vfscreen.morphometry.heights import body_heights_mm, height_sd_mm
from vfscreen.morphometry.neighbours import expected_posterior_heights_mm
from vfscreen.morphometry.probability import GradeCalibration
from vfscreen.screening.film_result import FilmVertebra
from vfscreen.screening.measure import judge
from vfscreen.screening.truncation import is_cut_short, is_truncated
from vfscreen.settings import ScreeningSettings
from vfscreen.spine.film_labelling import is_counted
from vfscreen.spine.film_strip import FilmStrip
from vfscreen.spine.labelling import LabelledColumn

Float = NDArray[np.float64]

EDGE_MARGIN = 0.02
"""Share of a body's height: a point nearer to the picture's edge is cut, as half a millimetre is on a CT."""
NEAR_EDGE = 0.12
"""Share of a body's height: an endplate so near to the edge may be the edge itself, read as an endplate."""


@dataclass(frozen=True, eq=False)
class FoundOnFilm:
    """A labelled detection on the upright picture, in its pixels, before it is judged. Shapes as FilmVertebra's."""

    vertebra_level: str | None
    level_probability: float | None
    level_certain: bool
    detection_probability: float
    points: Float
    keypoint_sd: Float
    heights: Float
    height_sd: Float
    fracture_score: float
    truncated: bool


def found_on_film(
    upright: UprightFilm,
    strip: FilmStrip,
    detection: Detection,
    column: LabelledColumn,
    index: int,
    certain_from: float,
) -> FoundOnFilm:
    """A detection with its points on the upright picture. certain_from: probability of a certain level."""
    points = strip.to_px(detection.keypoints)
    scale = float(strip.px_a_strip_px(detection.centre))
    plane, sd = detection.keypoints * scale, detection.keypoint_sd_mm * scale
    body_height = scale * strip.spec.pixels_a_body_height
    level, probability = column.levels[index], float(column.probabilities[index])
    return FoundOnFilm(
        vertebra_level=level,
        level_probability=None if level is None else probability,
        level_certain=level is not None and is_counted(column) and probability >= certain_from,
        detection_probability=float(detection.score),
        points=points,
        keypoint_sd=np.sqrt(np.mean(np.square(sd), axis=1)),
        heights=body_heights_mm(np.concatenate([points, np.zeros((6, 1))], axis=1)),
        height_sd=height_sd_mm(plane, sd),
        fracture_score=float(detection.fracture_score),
        truncated=is_truncated(upright, points, EDGE_MARGIN * body_height),
    )


def interpret_film(
    found: Sequence[FoundOnFilm],
    upright: UprightFilm,
    mm_a_px: float | None,
    settings: ScreeningSettings,
    calibration: GradeCalibration,
) -> tuple[FilmVertebra, ...]:
    """Judge a column, from superior to inferior. The vertebrae that are whole are the reference of one another.

    mm_a_px: millimetres of the patient a pixel of the upright picture, None where the film is not calibrated.
    """
    column = list(found)
    column = [
        replace(f, truncated=f.truncated or (e is not None and is_cut_short(upright, f.points, e, NEAR_EDGE * e)))
        for f, e in zip(column, _expected(column), strict=True)
    ]
    return tuple(
        _judged(f, e, upright, mm_a_px, settings, calibration) for f, e in zip(column, _expected(column), strict=True)
    )


def _expected(column: Sequence[FoundOnFilm]) -> list[float | None]:
    """Expected posterior heights in pixels: the film's own vertebrae let expect them, whatever a pixel measures."""
    return expected_posterior_heights_mm(
        [None if f.truncated else f.heights for f in column], [f.vertebra_level for f in column]
    )


def _judged(
    f: FoundOnFilm,
    expected: float | None,
    upright: UprightFilm,
    mm_a_px: float | None,
    settings: ScreeningSettings,
    calibration: GradeCalibration,
) -> FilmVertebra:
    whole = not f.truncated
    calibrated = whole and mm_a_px is not None
    scale = mm_a_px or 0.0
    judgement = judge(
        f.heights, f.height_sd, f.vertebra_level, expected, f.fracture_score, settings, calibration, f.truncated
    )
    return FilmVertebra(
        vertebra_level=f.vertebra_level,
        level_probability=f.level_probability,
        level_certain=f.level_certain,
        truncated=f.truncated,
        detection_probability=f.detection_probability,
        centre_px=upright.to_stored(f.points.mean(axis=0)),
        keypoints_px=upright.to_stored(f.points) if whole else None,
        keypoint_sd_px=f.keypoint_sd if whole else None,
        heights_px=f.heights if whole else None,
        height_sd_px=f.height_sd if whole else None,
        keypoint_sd_mm=f.keypoint_sd * scale if calibrated else None,
        heights_mm=f.heights * scale if calibrated else None,
        height_sd_mm=f.height_sd * scale if calibrated else None,
        fracture_score=f.fracture_score,
        **vars(judgement),
    )
