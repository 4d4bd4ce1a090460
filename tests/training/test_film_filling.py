"""Film pools: cases keep what they hold, pools are disjoint, films end where the scan does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vfscreen.geometry.curve import Centreline
from vfscreen.geometry.volume import Volume
from vfscreen.training.film_bodies import FilmBody
from vfscreen.training.film_cases import BONE_STEP_MM, SOFT_STEP_MM, load_case, save_case
from vfscreen.training.film_filling import PoolSettings
from vfscreen.training.film_pool import draw_geometry, make_case
from vfscreen.training.film_sources import EVALUATION_READINGS, TRAINING_READINGS, sources
from vfscreen.training.readings import ReadVertebra


@pytest.fixture(scope="module")
def body() -> FilmBody:
    """A trunk of water with three vertebrae, and a fine crop of it around them."""
    coarse = Volume(np.full((60, 60, 70), -1000, np.int16), _affine([-105.0, -100.0, -90.0], 3.0))
    coarse.hu[:, 8:52, 10:60] = 0
    fine = Volume(np.zeros((90, 50, 40), np.int16), _affine([-40.0, -20.0, -90.0], 2.0))
    corners = np.array([(0.0, a * 15.0, -s * 12.0) for a in (-1, 0, 1) for s in (-1, 1)])
    vertebrae = tuple(
        ReadVertebra(f"L{n + 1}", True, 0.8, corners + np.array([0.0, 20.0, 32.0 * (1 - n)])) for n in range(3)
    )
    curve = Centreline.from_points(np.array([[0.0, 20.0, 80.0], [0.0, 20.0, -80.0]]))
    return FilmBody("trunk", fine, coarse, curve, vertebrae)


def _affine(origin: list[float], step: float) -> np.ndarray:
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = origin
    return affine


def test_training_and_evaluation_share_no_anatomy() -> None:
    training, evaluation = (sources(e, phantoms=40, label_renders=2) for e in (False, True))
    assert not {s.name for s in training} & {s.name for s in evaluation}
    assert not set(TRAINING_READINGS) & set(EVALUATION_READINGS)
    nothing = Path()
    assert PoolSettings(nothing, {}, nothing).fractures.family != (
        PoolSettings(nothing, {}, nothing, evaluation=True).fractures.family
    )


def test_a_crop_and_the_body_around_it_leave_no_seam(body: FilmBody) -> None:
    geometry = draw_geometry(body, "lateral", np.random.default_rng(2))
    both = make_case("both", body, geometry, np.random.default_rng(0))
    assert body.coarse is not None
    alone = make_case("alone", replace(body, fine=body.coarse), geometry, np.random.default_rng(0))
    inner = slice(20, -20), slice(geometry.columns // 3, -geometry.columns // 3)
    assert np.abs(both.soft - alone.soft)[inner].max() < 0.03 * alone.soft.max()


@pytest.mark.parametrize("view", ["lateral", "ap"])
def test_films_end_where_the_scan_does(body: FilmBody, view: str) -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        case = make_case("x", body, draw_geometry(body, view, rng), rng)
        middle = case.soft[:, case.soft.shape[1] // 2]
        assert middle[2] > 0.6 * np.median(middle)
        assert middle[-3] > 0.6 * np.median(middle)
        assert case.view == view
        assert case.known_rows[0] < case.points[1, :, 0].min() < case.known_rows[1]


def test_the_front_is_to_the_left_and_levels_run_down(body: FilmBody) -> None:
    rng = np.random.default_rng(0)
    case = make_case("x", body, draw_geometry(body, "lateral", rng), rng)
    assert (case.points[:, 0, 1] < case.points[:, 4, 1]).all()
    assert (np.diff(case.points[..., 0].mean(axis=1)) > 0).all()
    assert case.levels == ("L1", "L2", "L3")
    np.testing.assert_allclose(case.loss, 0.0, atol=1e-6)
    heights = np.linalg.norm(case.points[:, 0::2] - case.points[:, 1::2], axis=-1) * case.pixel_mm
    np.testing.assert_allclose(heights, 24.0, rtol=0.15)


def test_a_bare_column_gets_a_body_without_a_seam(body: FilmBody) -> None:
    rng = np.random.default_rng(3)
    bare = replace(body, coarse=None, wrapped=True)
    case = make_case("x", bare, draw_geometry(bare, "lateral", rng), rng)
    row = case.soft[case.soft.shape[0] // 2]
    filled = row[row > 20]
    assert filled.size * case.pixel_mm > 110  # the crop alone is 100 mm deep
    assert np.abs(np.diff(filled[5:-5])).max() < 0.1 * filled.max()


def test_a_case_keeps_what_it_holds(body: FilmBody, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    case = make_case("kept", body, draw_geometry(body, "lateral", rng), rng, np.array([0.3, np.nan, 0.1]))
    back = load_case(save_case(case, tmp_path))
    np.testing.assert_allclose(back.soft, case.soft, atol=SOFT_STEP_MM)
    np.testing.assert_allclose(back.bone, case.bone, atol=BONE_STEP_MM)
    for name in ("points", "confidence", "lost", "loss", "sacrum"):
        np.testing.assert_array_equal(getattr(back, name), getattr(case, name))
    assert (back.name, back.source, back.view, back.levels) == ("kept", "trunk", "lateral", case.levels)
    assert back.known_rows == pytest.approx(case.known_rows)
    assert back.pixel_mm == pytest.approx(case.pixel_mm)
    assert not list(tmp_path.glob("*.part"))
