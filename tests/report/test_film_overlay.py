"""A film's picture shows what it must, whichever way the film was stored."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.screening.film_beads import draw, make_film_patient, oracle_film_models
from vfscreen.geometry.radiograph import Radiograph
from vfscreen.report.canvas import GRADES
from vfscreen.report.film_overlay import draw_film_overlay
from vfscreen.schema.names import SpacingSource
from vfscreen.screening.film_chain import screen_film
from vfscreen.screening.film_result import FilmResult
from vfscreen.screening.measure import summarise
from vfscreen.settings import ScreeningSettings

SOUND, WEDGE = (0.95, 0.94, 1.0), (0.62, 0.85, 1.0)


def screened(third: tuple[float, float, float], turns: int = 0) -> tuple[Radiograph, FilmResult]:
    patient = make_film_patient(heights=[SOUND, SOUND, third, SOUND, SOUND, SOUND])
    film = draw(patient, 2.0)
    film = Radiograph(np.rot90(film.image, turns).copy(), np.rot90(film.inside, turns).copy())
    return film, screen_film(film, oracle_film_models(patient), ScreeningSettings())


def opened(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png))
    image.load()
    return image


def pixels_of(image: Image.Image, colour: tuple[int, int, int]) -> int:
    return int((np.asarray(image) == colour).all(axis=2).sum())


def test_grades_have_their_colours_and_flagged_bodies_are_enlarged() -> None:
    plain, shown = (opened(draw_film_overlay(*screened(third), "x")) for third in (SOUND, WEDGE))
    assert pixels_of(plain, GRADES[2]) == 0 and pixels_of(plain, GRADES[0]) > 100
    assert pixels_of(shown, GRADES[2]) > 100
    assert shown.width > plain.width + 400


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_film_is_shown_upright(turns: int) -> None:
    """The picture of the same film, turned, but for the words that say so."""
    upright, turned = (opened(draw_film_overlay(*screened(WEDGE, t), "x")) for t in (0, turns))
    assert upright.size == turned.size
    below_head = [np.asarray(image)[94:].astype(int) for image in (upright, turned)]
    assert np.mean(np.abs(below_head[0] - below_head[1]) > 40) < 0.01


def test_a_truncated_vertebra_is_shown_but_not_measured() -> None:
    film, result = screened(SOUND)
    cut = replace(
        result.vertebrae[0],
        truncated=True,
        **dict.fromkeys(("keypoints_px", "keypoint_sd_px", "heights_px", "height_sd_px", "genant_grade")),
    )
    vertebrae = (cut, *result.vertebrae[1:])
    whole = opened(draw_film_overlay(film, result, "x"))
    shown = opened(draw_film_overlay(film, replace(result, vertebrae=vertebrae, patient=summarise(vertebrae)), "x"))
    assert pixels_of(shown, GRADES[0]) < pixels_of(whole, GRADES[0])
    draw_film_overlay(film, replace(result, vertebrae=(cut,), patient=summarise([cut])), "x")  # nothing graded at all


def test_millimetres_and_their_ruler_only_where_calibrated() -> None:
    film, result = screened(SOUND)
    calibrated = replace(film, pixel_spacing_mm=(0.3, 0.3), spacing_source=SpacingSource.CALIBRATED)
    assert draw_film_overlay(film, result, "x") != draw_film_overlay(calibrated, result, "x")


def test_the_same_findings_give_the_same_bytes() -> None:
    film, result = screened(WEDGE)
    assert draw_film_overlay(film, result, "x") == draw_film_overlay(film, result, "x")
