"""The course through a film: its two-way map everywhere near it, its ruler, and candidates that lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.spine.film_course import FilmCourse, course_through, fit_course

T = np.linspace(0, 1, 200)
POINTS = np.stack([100 + 1500 * T, 400 + 120 * np.sin(5 * T)], axis=1)
HEIGHTS = 50 + 60 * T


def course(anterior_is_right: bool = True) -> FilmCourse:
    return FilmCourse.from_points(POINTS, HEIGHTS, anterior_is_right)


@given(st.floats(-1.0, 20.0), st.floats(-2.0, 2.4), st.booleans())
def test_to_px_and_back(u: float, v: float, right: bool) -> None:
    line = course(right)
    assert line.from_px(line.to_px(np.array([u, v]))) == pytest.approx([u, v], abs=1e-3)


@given(st.booleans())
def test_u_counts_body_heights_and_v_goes_to_the_back(right: bool) -> None:
    line = course(right)
    a, b = line.to_px(np.array([[9.5, 0.0], [10.5, 0.0]]))
    height = line.frame_at(np.array(10.0))[3]
    assert np.linalg.norm(b - a) == pytest.approx(float(height), rel=0.02)
    assert b[0] > a[0]
    back = line.to_px(np.array([10.0, 1.0])) - line.to_px(np.array([10.0, 0.0]))
    assert np.linalg.norm(back) == pytest.approx(float(height), rel=1e-6)
    assert (back[1] < 0) == right


def test_fit_smooths_noise_and_keeps_the_course() -> None:
    rng = np.random.default_rng(3)
    noisy = POINTS + rng.normal(0, 3, POINTS.shape) * [0, 1]
    line = fit_course(noisy, np.ones(len(noisy)), HEIGHTS * np.exp(rng.normal(0, 0.1, len(noisy))), True)
    assert line is not None
    truth = np.interp(line.points_px[:, 0], POINTS[:, 0], POINTS[:, 1])
    assert np.sqrt(np.mean((line.points_px[:, 1] - truth) ** 2)) < 4.0
    expected = np.interp(line.points_px[:, 0], POINTS[:, 0], HEIGHTS)
    assert np.abs(np.log(line.body_height_px / expected)).max() < 0.08


def test_strays_and_the_shorter_run_are_left_out() -> None:
    points, presence = POINTS.copy(), np.ones(len(POINTS))
    points[50:53, 1] += 250.0  # a rib
    presence[150:185] = 0.1  # a hole; what follows is another bone
    points[185:, 1] += 300.0
    line = fit_course(points, presence, HEIGHTS, False)
    assert line is not None
    truth = np.interp(line.points_px[:, 0], POINTS[:, 0], POINTS[:, 1])
    assert np.abs(line.points_px[:, 1] - truth).max() < 12.0
    assert line.points_px[-1, 0] < POINTS[155, 0]


@pytest.mark.parametrize("points", [np.zeros((0, 2)), np.array([[5.0, 5.0]]), np.array([[5.0, 5.0], [25.0, 5.0]])])
def test_too_little_is_no_spine(points: np.ndarray) -> None:
    assert fit_course(points, np.ones(len(points)), np.full(len(points), 50.0), True) is None


def test_points_and_heights_that_make_no_course_are_refused() -> None:
    with pytest.raises(ValueError, match="two distinct points"):
        FilmCourse.from_points(np.array([[1.0, 1.0], [1.0, 1.0]]), 10.0, True)
    with pytest.raises(ValueError, match="positive"):
        FilmCourse.from_points(POINTS, np.zeros(len(POINTS)), True)


def test_through_bodies_and_straight_on_beyond_them() -> None:
    line = course()
    uv = np.stack([np.arange(1.0, 18.0, 1.25), 0.3 * np.ones(14)], axis=1)
    centres = line.to_px(uv)
    heights = line.frame_at(uv[:, 0])[3] * 1.2
    heights[4] *= 0.5  # a fracture is no ruler
    moved = course_through(centres, heights, True, reach=2.0)
    again = moved.from_px(centres)
    assert np.abs(again[:, 1]).max() < 0.08
    assert again[0, 0] == pytest.approx(2.0, abs=0.1) and moved.length - again[-1, 0] == pytest.approx(2.0, abs=0.1)
    expected = line.frame_at(uv[:, 0])[3] * 1.2
    assert moved.frame_at(again[:, 0])[3] == pytest.approx(expected, rel=0.05)
    # what lies straight on from the last three is on the course, too
    further = centres[-1] + 0.9 * (centres[-1] - centres[-3])
    assert abs(moved.from_px(further)[1]) < 0.15
