"""Films with known bodies, screened by the whole film chain: what the film networks are measured on.

Belongs here: read films and exposed cases, screened and compared. Does not belong here: the numbers (film_evaluate).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.radiograph import Radiograph
from vfscreen.ingest.pictures import read_picture
from vfscreen.models.film_ports import FilmModels
from vfscreen.schema.names import LEVELS
from vfscreen.screening.film_chain import screen_film
from vfscreen.screening.film_result import FilmResult
from vfscreen.settings import ScreeningSettings
from vfscreen.synthesis.film_look import draw_film
from vfscreen.training.film_cases import FilmCase
from vfscreen.training.film_evaluate import MEASURED_LEVELS, FilmComparison, KnownBody, compare_film
from vfscreen.training.film_readings import KEYPOINT_OF_CORNER, FilmReading
from vfscreen.training.film_truth import known_rows

CONFIDENCE_MIN = 0.5
"""Points of a case below this were not read by a reader and measure nothing."""
EDGE_PX = 3.0


@dataclass(frozen=True, eq=False)
class ScreenedFilm:
    """A comparison, the chain's result it was made from, and the seconds the chain took."""

    comparison: FilmComparison
    result: FilmResult
    seconds: float


def screened_reading(
    reading: FilmReading, folder: Path, models: FilmModels, settings: ScreeningSettings
) -> ScreenedFilm:
    """A real film of `folder` with its corner reading. Measured are the whole bodies of MEASURED_LEVELS."""
    film = read_picture(folder / reading.film)
    known = [KnownBody(b.level, b.corners_px, b.whole and b.level in MEASURED_LEVELS) for b in reading.bodies]
    result, seconds = _timed(film, models, settings)
    return ScreenedFilm(compare_film(reading.film, known, result.vertebrae), result, seconds)


def screened_case(case: FilmCase, seed: int, models: FilmModels, settings: ScreeningSettings) -> ScreenedFilm:
    """A case, exposed with the look of `seed`. Measured are bodies that were read and lie wholly in the picture.

    Reports where the case says nothing of what is there do not count.
    """
    rng = np.random.default_rng([seed, sum(case.name.encode())])
    image, inside = draw_film(case.soft, case.bone, case.pixel_mm, np.asarray(case.points, dtype=np.float64), rng)
    result, seconds = _timed(Radiograph(image, inside), models, settings)
    bodies = [
        KnownBody(
            level,
            np.asarray(points[list(KEYPOINT_OF_CORNER)], dtype=np.float64),
            bool(confidence >= CONFIDENCE_MIN and level in LEVELS and _in_picture(points, inside)),
            float(loss),
        )
        for points, level, confidence, loss in zip(case.points, case.levels, case.confidence, case.loss, strict=True)
    ]
    first, last = known_rows(case)
    told = [v for v in result.vertebrae if first <= v.centre_px[0] <= last]
    return ScreenedFilm(compare_film(case.name, bodies, told), result, seconds)


def _timed(film: Radiograph, models: FilmModels, settings: ScreeningSettings) -> tuple[FilmResult, float]:
    began = time.perf_counter()
    result = screen_film(film, models, settings)
    return result, time.perf_counter() - began


def _in_picture(points: NDArray[np.float32], inside: NDArray[np.bool_]) -> bool:
    size = np.array(inside.shape)
    if not ((points > EDGE_PX) & (points < size - 1 - EDGE_PX)).all():
        return False
    at = np.rint(points).astype(int)
    return bool(inside[at[:, 0], at[:, 1]].all())
