"""Heights are distances: nothing a patient's position or a scanner's orientation does may change them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from vfscreen.morphometry.heights import body_heights_mm, height_sd_mm

POINTS = arrays(np.float64, (6, 3), elements=st.floats(-200, 200))
VECTOR = arrays(np.float64, (3,), elements=st.floats(-3, 3))


def test_known_box() -> None:
    box = np.array([[0, 0, 20], [0, 0, 0], [0, 15, 19], [0, 15, 1], [0, 30, 22], [0, 30, -3]], dtype=float)
    assert body_heights_mm(box) == pytest.approx([20, 18, 25])


@given(POINTS, VECTOR, arrays(np.float64, (3,), elements=st.floats(-1000, 1000)))
def test_rigid_motion_changes_no_height(points: np.ndarray, turn: np.ndarray, shift: np.ndarray) -> None:
    moved = Rotation.from_rotvec(turn).apply(points) + shift
    np.testing.assert_allclose(body_heights_mm(moved), body_heights_mm(points), atol=1e-9)


@given(POINTS, st.sampled_from([(-1, 1, 1), (1, -1, 1), (1, 1, -1)]))
def test_mirror_changes_no_height(points: np.ndarray, mirror: tuple[int, int, int]) -> None:
    np.testing.assert_array_equal(body_heights_mm(points * mirror), body_heights_mm(points))


@given(POINTS, st.floats(0.1, 10))
def test_scale_scales(points: np.ndarray, scale: float) -> None:
    np.testing.assert_allclose(body_heights_mm(points * scale), body_heights_mm(points) * scale, atol=1e-9)


def test_height_is_three_dimensional() -> None:
    tilted = np.zeros((6, 3))
    tilted[0::2] = (3, 4, 12)
    assert body_heights_mm(tilted) == pytest.approx([13, 13, 13])


def test_collapsed_body_has_zero_heights_not_missing_ones() -> None:
    assert body_heights_mm(np.ones((6, 3))).tolist() == [0, 0, 0]


@pytest.mark.parametrize("bad", [np.zeros((4, 3)), np.zeros((6, 2)), np.zeros(3), np.full((6, 3), np.nan)])
def test_bad_points_are_an_error(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="key point"):
        body_heights_mm(bad)


def test_sd_counts_only_along_the_height() -> None:
    points = np.zeros((6, 2))
    points[0::2] = (-20, 0)  # rows run along the height
    sd = np.tile([0.6, 5.0], (6, 1))
    assert height_sd_mm(points, sd) == pytest.approx([np.hypot(0.6, 0.6)] * 3)
    assert height_sd_mm(np.zeros((6, 2)), sd) == pytest.approx([np.hypot(5, 5)] * 3)


def test_sd_agrees_with_sampling() -> None:
    rng = np.random.default_rng(0)
    points = np.array([[0, 0], [21, 3], [1, 15], [19, 16], [0, 30], [22, 27]], dtype=float)
    sd = rng.uniform(0.2, 0.9, (6, 2))
    draws = points + rng.normal(size=(20000, 6, 2)) * sd
    heights = np.linalg.norm(draws[:, 0::2] - draws[:, 1::2], axis=2)
    assert height_sd_mm(points, sd) == pytest.approx(heights.std(axis=0), rel=0.03)
