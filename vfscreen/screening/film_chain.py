"""One radiograph in, measured vertebrae out: what picture it is, locate, straighten, detect, label, refine, measure.

Belongs here: the order of the steps and what passes between them. Does not belong here: reading files, rows, pictures
(pure of I/O), or any step itself. CT has its own order (chain).

Deterministic: the same film, models and settings give the same result. Whichever way a film is stored (turned by
quarter turns, mirrored, at another resolution), the same points and ratios come back where they are in its own pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vfscreen.errors import ReasonCode, Rejected, Stage
from vfscreen.geometry.radiograph import Radiograph
from vfscreen.geometry.upright import UprightFilm
from vfscreen.models.film_ports import ROTATIONS_DEG, FilmModels, FilmView
from vfscreen.screening.film_fresh import with_fresh
from vfscreen.screening.film_look import FACING_CERTAIN, Look, look_along
from vfscreen.screening.film_measure import found_on_film, interpret_film
from vfscreen.screening.film_picture import look_at_picture, side_in_stored, why_not_lateral_spine
from vfscreen.screening.film_refine import refined
from vfscreen.screening.film_result import FilmResult
from vfscreen.screening.measure import summarise
from vfscreen.settings import ScreeningSettings
from vfscreen.spine.film_labelling import END_SEEN_BODY_HEIGHTS, label_film_column

Float = NDArray[np.float64]

_SURE = 0.02
"""No network is surer than this of the side to which a patient faces."""


def screen_film(
    film: Radiograph,
    models: FilmModels,
    settings: ScreeningSettings,
    checkpoint: Callable[[], None] = lambda: None,
) -> FilmResult:
    """Screen one radiograph, of any orientation, size and scale.

    checkpoint: called between the steps; what it raises ends the screening. A film that is not for screening, or on
    which nothing was found, comes back with the reason in `rejected`; nothing else is raised by intent.
    """
    picture, seen = look_at_picture(film, models.view, settings.films)
    result = FilmResult(picture, film.height_calibrated)
    if why := why_not_lateral_spine(picture, settings.films):
        return replace(result, rejected=why)
    checkpoint()
    rotation_deg = picture.rotation_deg or 0
    upright = UprightFilm.of(film, rotation_deg)
    located = models.locator.locate(upright.image, upright.inside)
    checkpoint()
    right = _facing_right(located.anterior_is_right_probability, seen, rotation_deg)
    look = look_along(upright, located, right, models)
    checkpoint()
    if look is None:
        return replace(
            result,
            rejected=Rejected(
                Stage.LOCATE,
                ReasonCode.SPINE_NOT_FOUND,
                f"No vertebral column among {len(located.points_px)} candidate positions.",
            ),
        )
    faces_right = look.strip.course.anterior_is_right
    side = side_in_stored(faces_right, rotation_deg)
    picture = replace(
        picture,
        anterior_side=side,
        anterior_side_probability=None if side is None else (right if faces_right else 1.0 - right),
    )
    result = replace(
        result, picture=picture, strip=look.strip, course_px=upright.to_stored(look.strip.course.points_px)
    )
    if not look.detections:
        return replace(result, rejected=_nothing_found(f"No vertebra on a course of {_length(look)} body heights."))
    return _measured(result, look, upright, film, models, settings)


def _measured(
    result: FilmResult,
    look: Look,
    upright: UprightFilm,
    film: Radiograph,
    models: FilmModels,
    settings: ScreeningSettings,
) -> FilmResult:
    strip = look.strip
    mm_a_px = None if film.pixel_spacing_mm is None else film.pixel_spacing_mm[0]
    column = label_film_column(
        strip.to_px(look.centres),
        np.stack([d.level_scores for d in look.detections]),
        _visible(look, upright),
        mm_a_px,
        film.height_calibrated,
    )
    found = [
        found_on_film(upright, strip, detection, column, i, settings.level_certain_probability)
        for i, detection in enumerate(refined(upright, strip, look.detections, models.endplates))
        # fainter ones had their say in the column; a skull or a sacrum that looked like a vertebra is none
        if detection.score >= settings.films.detection_threshold and i >= column.first and column.levels[i] != "S"
    ]
    if not found:
        return replace(result, rejected=_nothing_found("No vertebra was seen well enough."))
    patient_mm = mm_a_px if film.height_calibrated else None
    vertebrae = interpret_film(found, upright, patient_mm, settings, models.grade_calibration)
    vertebrae = with_fresh(vertebrae, film, models.fresh)
    return replace(result, vertebrae=vertebrae, patient=summarise(vertebrae))


def _facing_right(locator_says: float, seen: FilmView | None, rotation_deg: int) -> float:
    """Probability that the patient faces the right edge of the upright picture: the locator's word where it is sure or
    the view network saw the picture turned otherwise, else both networks' odds, averaged."""
    said = [locator_says]
    unsure = max(locator_says, 1.0 - locator_says) < FACING_CERTAIN
    if unsure and seen is not None and ROTATIONS_DEG[int(np.argmax(seen.rotation))] == rotation_deg:
        said.append(seen.anterior_is_right_probability)
    p = np.clip(said, _SURE, 1.0 - _SURE)
    return float(1.0 / (1.0 + np.exp(-np.mean(np.log(p / (1.0 - p))))))


def _visible(look: Look, upright: UprightFilm) -> tuple[float, float]:
    """Body heights of picture above the first centre and below the last one, along the course."""
    u = look.strip.to_course(look.centres)[:, 0]
    reach = np.arange(0.0, 2.0 * END_SEEN_BODY_HEIGHTS, 0.125)

    def shown(start: float, direction: float) -> float:
        uv = np.stack([start + direction * reach, np.zeros_like(reach)], axis=1)
        hidden = np.flatnonzero(~upright.contains(look.strip.course.to_px(uv)))
        return float(reach[hidden[0]] if len(hidden) else reach[-1])

    return shown(float(u[0]), -1.0), shown(float(u[-1]), 1.0)


def _length(look: Look) -> str:
    return f"{look.strip.course.length:.1f}"


def _nothing_found(message: str) -> Rejected:
    return Rejected(Stage.DETECT, ReasonCode.VERTEBRAE_NOT_FOUND, message)
