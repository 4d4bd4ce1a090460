"""Samples of the film networks: targets lie where the picture shows the bodies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.film_bars import bar_case
from vfscreen.models.networks2d import STRIDE
from vfscreen.schema.names import LEVELS
from vfscreen.spine.film_strip import StripSpec
from vfscreen.training.film_exposing import expose_window
from vfscreen.training.film_locator_samples import CELL, draw_film_locator_sample
from vfscreen.training.film_strip_samples import MAX_VERTEBRAE, draw_strip_sample
from vfscreen.training.film_truth import body_heights_px, case_points, disturbed, known_rows, true_course

SPEC = StripSpec()


def plain(case, at_px, rng, binned=1):
    """Bone alone, without a look."""
    return case.bone, np.ones(case.bone.shape, dtype=bool), at_px


@pytest.fixture
def without_look(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("film_strip_samples", "film_locator_samples"):
        monkeypatch.setattr(f"vfscreen.training.{module}.expose_window", plain)


@pytest.mark.usefixtures("without_look")
@pytest.mark.parametrize("seed", range(6))
def test_points_of_a_strip_are_on_its_bodies(seed: int) -> None:
    sample = draw_strip_sample(bar_case(), SPEC, np.random.default_rng(seed), rows=160)
    count = int((sample.weight > 0).sum())
    assert 1 <= count <= MAX_VERTEBRAE and sample.points.shape == (MAX_VERTEBRAE, 6, 2)
    for v in range(count):
        points = sample.points[v]
        centre, reach = points.mean(axis=0), points - points.mean(axis=0)
        seen = {}
        for share in (0.8, 1.3):
            at = np.rint(centre + share * reach).astype(int)
            shown = (at >= 0).all(axis=1) & (at < sample.image.shape).all(axis=1)
            seen[share] = sample.image[tuple(at[shown].T)].mean() if shown.any() else -9.0
        assert seen[0.8] > seen[1.3] + 0.5, "brighter inside than outside its corners"
        # of 32 px, and a course as far off as samples are drawn changes the ruler by up to exp(0.9)
        assert 14 < np.linalg.norm(points[0::2] - points[1::2], axis=1).mean() < 72, "about a body height"
        assert sample.points[v, 0, 1] < sample.points[v, 4, 1], "front to the left"


@pytest.mark.usefixtures("without_look")
def test_what_is_not_known_is_not_judged() -> None:
    case = replace(bar_case(), known_rows=(40.0, 200.0))
    for seed in range(8):
        sample = draw_strip_sample(case, SPEC, np.random.default_rng(seed), rows=160)
        told = [LEVELS[i] for i in sample.level[sample.weight > 0]]
        first = case.levels.index(told[0]) if told else 0
        assert tuple(told) == case.levels[first : first + len(told)]
        if not sample.judged.all():
            assert sample.judged.shape == (160 // STRIDE, SPEC.columns // STRIDE)
            break
    else:
        pytest.fail("some window reaches beyond what is known")


def test_below_a_last_lumbar_vertebra_everything_is_known() -> None:
    case = bar_case(last="L5")
    assert known_rows(case) == (case.known_rows[0], float(case.soft.shape[0]))
    assert known_rows(bar_case()) == bar_case().known_rows


@pytest.mark.usefixtures("without_look")
@pytest.mark.parametrize("seed", range(6))
def test_the_line_of_a_locator_sample_runs_through_the_bodies(seed: int) -> None:
    sample = draw_film_locator_sample(bar_case(), (256, 160), np.random.default_rng(seed))
    assert sample.line.shape == (256 // CELL, 160 // CELL) == sample.judged.shape
    on_line = np.argwhere(sample.line > 0.9)
    assert len(on_line) > 3
    at = (on_line * CELL + CELL // 2).astype(int)
    assert sample.image[tuple(at.T)].mean() > sample.image.mean() + 0.3
    assert np.ptp(sample.height[sample.line > 0.9]) < 0.3, "bodies of one size"


@pytest.mark.usefixtures("without_look")
def test_both_sides_are_shown() -> None:
    facing = {float(draw_film_locator_sample(bar_case(), (64, 64), np.random.default_rng(s)).facing) for s in range(12)}
    assert facing == {0.0, 1.0}


def test_an_exposed_window_is_a_film_of_its_part_of_the_case() -> None:
    case = bar_case()
    at = np.stack(np.meshgrid(np.arange(60.0, 160.0), np.arange(60.0, 180.0), indexing="ij"), axis=-1)
    for binned in (1, 2):
        film, inside, place = expose_window(case, at, np.random.default_rng(2), binned)
        assert film.shape == inside.shape and film.size < case.bone.size
        assert np.isfinite(film).all()
        assert place[-1, -1] - place[0, 0] == pytest.approx((at[-1, -1] - at[0, 0]) / binned)
        assert (place[..., 0] <= film.shape[0]).all() and (place >= -1).all()


def test_a_fracture_is_no_ruler_and_a_course_runs_through_bodies() -> None:
    points = case_points(bar_case())
    course = true_course(points, anterior_is_right=False)
    assert np.abs(course.from_px(points.mean(axis=1))[:, 1]).max() < 0.05
    crushed = points.copy()
    crushed[4, 0::2, 0] += 16.0
    again = true_course(crushed, anterior_is_right=False)
    assert again.body_height_px == pytest.approx(
        np.full(len(again.body_height_px), body_heights_px(points).mean()), rel=0.05
    )
    off = disturbed(course, np.random.default_rng(0))
    assert 0.01 < np.abs(off.from_px(points.mean(axis=1))[:, 1]).max() < 0.8
