"""The picture shows what it must, for any number of vertebrae and findings."""

from __future__ import annotations

import io
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.screening.beads import affine_around, make_patient, oracle_models, render
from vfscreen.density.result import SeriesDensity, VertebraDensity
from vfscreen.report.canvas import GRADES, REGION
from vfscreen.report.overlay import draw_overlay
from vfscreen.screening.chain import screen_volume
from vfscreen.screening.measure import summarise
from vfscreen.screening.result import ScreeningResult
from vfscreen.settings import ScreeningSettings

WEDGE = (18, 23, 26)
SOUND = (25, 25, 27)


def screened(heights: list[tuple[float, float, float]]) -> ScreeningResult:
    levels = ("T7", "T8", "T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")[: len(heights)]
    patient = make_patient(levels, heights)
    return screen_volume(render(patient, *affine_around(patient)), oracle_models(patient), ScreeningSettings())


def opened(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png))
    image.load()
    return image


def pixels_of(image: Image.Image, colour: tuple[int, int, int]) -> int:
    return int((np.asarray(image) == colour).all(axis=2).sum())


def test_grades_have_their_colours_and_flagged_bodies_are_enlarged() -> None:
    plain, flagged = (opened(draw_overlay(screened([SOUND, third, SOUND, SOUND]), "x")) for third in (SOUND, WEDGE))
    assert pixels_of(plain, GRADES[2]) == 0 and pixels_of(plain, GRADES[0]) > 100
    assert pixels_of(flagged, GRADES[2]) > 100
    assert flagged.width > plain.width + 400


@pytest.mark.parametrize("count", [1, 3, 11])
def test_any_number_of_findings_fits(count: int) -> None:
    image = opened(draw_overlay(screened([WEDGE] * count), "x"))
    assert image.mode == "RGB"
    assert image.width < 4000 and image.height < 4000


def test_a_truncated_vertebra_is_shown_but_not_measured() -> None:
    result = screened([SOUND, SOUND, SOUND])
    cut = replace(
        result.vertebrae[0],
        truncated=True,
        keypoints_lps_mm=None,
        heights_mm=None,
        height_sd_mm=None,
        keypoint_sd_mm=None,
        genant_grade=None,
    )
    vertebrae = (cut, *result.vertebrae[1:])
    whole = opened(draw_overlay(result, "x"))
    shown = opened(draw_overlay(replace(result, vertebrae=vertebrae, patient=summarise(vertebrae)), "x"))
    assert pixels_of(shown, GRADES[0]) < pixels_of(whole, GRADES[0])
    draw_overlay(replace(result, vertebrae=(cut,), patient=summarise([cut])), "x")  # nothing graded at all


def test_the_region_of_a_density_is_drawn_only_where_there_is_one() -> None:
    result = screened([SOUND, SOUND, SOUND])
    without = tuple(replace(v, density=VertebraDensity()) for v in result.vertebrae)
    bare = opened(draw_overlay(replace(result, vertebrae=without, density=SeriesDensity()), "x"))
    shown = opened(draw_overlay(result, "x"))
    assert all(v.density.outline_lps_mm is not None for v in result.vertebrae)
    assert pixels_of(bare, REGION) == 0 and pixels_of(shown, REGION) > 200


def test_an_undecided_level_is_drawn() -> None:
    result = screened([SOUND, WEDGE, SOUND])
    unknown = tuple(replace(v, vertebra_level=None, level_probability=None) for v in result.vertebrae)
    draw_overlay(replace(result, vertebrae=unknown), "x")


def test_the_same_findings_give_the_same_bytes_and_soon() -> None:
    result = screened([SOUND, WEDGE, SOUND])
    first = draw_overlay(result, "x")
    started = time.process_time()
    assert draw_overlay(result, "x") == first
    assert time.process_time() - started < 1.5
