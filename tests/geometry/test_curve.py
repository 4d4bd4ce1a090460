"""Curve coordinates: a two-way map with frames that follow the patient, not the curve's twist."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.geometry.curve import Centreline

T = np.linspace(0, 1, 200)
SPINE = Centreline.from_points(np.stack([15 * np.sin(5 * T), 40 * np.cos(4 * T), -450 * T], axis=1))


def test_frames_are_orthonormal_and_follow_the_patient() -> None:
    frames = np.stack([SPINE.left, SPINE.posterior, -SPINE.tangent], axis=2)
    np.testing.assert_allclose(
        np.einsum("nij,nik->njk", frames, frames), np.tile(np.eye(3), (len(frames), 1, 1)), atol=1e-9
    )
    np.testing.assert_allclose(np.linalg.det(frames), 1, atol=1e-9)
    assert (SPINE.tangent[:, 2] < 0).all() and (SPINE.left[:, 0] > 0.8).all() and (SPINE.posterior[:, 1] > 0.5).all()


def test_samples_are_a_millimetre_apart_from_head_to_foot() -> None:
    steps = np.linalg.norm(np.diff(SPINE.points_lps_mm, axis=0), axis=1)
    assert steps == pytest.approx(np.ones(len(steps)), abs=0.01)
    assert (np.diff(SPINE.points_lps_mm[:, 2]) < 0).all()
    upside_down = Centreline.from_points(SPINE.points_lps_mm[::-1])
    assert upside_down.points_lps_mm[0, 2] > upside_down.points_lps_mm[-1, 2]


@given(st.floats(-20, 480), st.floats(-40, 40), st.floats(-15, 15))
def test_there_and_back(s: float, p: float, left: float) -> None:
    position = np.array([s, p, left])
    assert SPINE.from_lps(SPINE.to_lps(position)) == pytest.approx(position, abs=0.05)


def test_a_grid_is_its_points() -> None:
    s, p, left = np.array([-20.0, 3.5, 200.0, 470.0]), np.array([-30.0, 0.0, 12.0]), np.array([-58.0, 7.0])
    grid = SPINE.grid_to_lps(s, p, left)
    each = np.array([[[SPINE.to_lps(np.array([a, b, c])) for b in p] for a in s] for c in left])
    np.testing.assert_allclose(grid, each, atol=1e-9)


@given(st.floats(-300, 300), st.floats(-300, 300), st.floats(-300, 300))
def test_moving_the_patient_moves_the_curve(x: float, y: float, z: float) -> None:
    shift = np.array([x, y, z])
    moved = Centreline.from_points(SPINE.points_lps_mm + shift)
    position = np.array([100.0, 10.0, 3.0])
    assert moved.to_lps(position) - SPINE.to_lps(position) == pytest.approx(shift, abs=1e-3)


@pytest.mark.parametrize("points", [np.zeros((1, 3)), np.zeros((5, 3)), np.zeros((4, 2))])
def test_no_curve_through_less_than_two_positions(points: np.ndarray) -> None:
    with pytest.raises(ValueError, match="centreline"):
        Centreline.from_points(points)


@pytest.mark.parametrize("count", [2, 3, 4, 40])
def test_fit_passes_near_its_points(count: int) -> None:
    z = np.linspace(0, -200, count)
    points = np.stack([z * 0.1, 0.001 * z**2, z], axis=1)
    line = Centreline.fit(points[::-1])
    if count > 2:
        nearest = np.linalg.norm(points[:, None] - line.points_lps_mm[None], axis=2).min(axis=1)
        assert nearest.max() < 2.5
    assert line.points_lps_mm[0, 2] == pytest.approx(0, abs=1.1)
