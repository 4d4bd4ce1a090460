"""A locator errs: strays, holes and other bones must not bend the centreline."""

from __future__ import annotations

import numpy as np
import pytest

from vfscreen.spine.centreline import fit_centreline, refit_through


def course(n: int = 80, step: float = 4.0) -> np.ndarray:
    z = -step * np.arange(n)
    return np.stack([3 * np.sin(z / 90), 20 * np.sin(z / 120), z], axis=1)


def off(curve: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distance of each point of the curve to the true course, away from its ends."""
    return np.linalg.norm(curve[5:-5, None] - truth[None], axis=2).min(axis=1)


def test_noise_is_smoothed() -> None:
    rng = np.random.default_rng(0)
    noisy = course() + rng.normal(0, 1.0, (80, 3)) * [1, 1, 0]
    line = fit_centreline(noisy, np.full(80, 0.9))
    assert line is not None
    assert off(line.points_lps_mm, course(1600, 0.2)).max() < 1.5
    assert line.length_mm == pytest.approx(330, rel=0.05)


def test_strays_and_absent_positions_do_not_bend_it() -> None:
    points, presence = course(), np.full(80, 0.9)
    points[[10, 33, 34, 60]] += [40.0, -35.0, 0.0]
    presence[50:53] = 0.2
    points[50:53] += [80.0, 0, 0]
    line = fit_centreline(points, presence)
    assert line is not None
    assert off(line.points_lps_mm, course(1600, 0.2)).max() < 1.5


def test_a_walk_onto_another_bone_is_cut_off() -> None:
    points = course()
    points[65:] += [70.0, 0, 0]
    line = fit_centreline(points, np.full(80, 0.9))
    assert line is not None
    assert line.points_lps_mm[-1, 2] > points[65, 2] - 1
    assert np.abs(line.points_lps_mm[:, 0]).max() < 10


def test_of_two_runs_the_longer_one_is_the_spine() -> None:
    points = np.concatenate([course(50), course(10) - [0, 0, 400.0]])
    line = fit_centreline(points, np.ones(60))
    assert line is not None
    assert line.points_lps_mm[:, 2].min() > -230


def test_order_does_not_matter() -> None:
    points = course()
    mixed = points[np.random.default_rng(1).permutation(80)]
    a, b = fit_centreline(points, np.ones(80)), fit_centreline(mixed, np.ones(80))
    assert a is not None and b is not None
    np.testing.assert_allclose(a.points_lps_mm, b.points_lps_mm)


@pytest.mark.parametrize("count", [0, 1, 2, 6])
def test_too_little_is_no_spine(count: int) -> None:
    assert fit_centreline(course(80)[:count], np.ones(count)) is None
    assert fit_centreline(course(), np.full(80, 0.3)) is None


def test_refit_goes_through_the_centres() -> None:
    beside = fit_centreline(course() + np.array([0, 9.0, 0]), np.ones(80))
    assert beside is not None
    truth = course(1600, 0.2)
    line = refit_through(beside, truth[100:1500:140])
    assert off(line.points_lps_mm, truth).max() < 1.5
    assert line.length_mm == pytest.approx(beside.length_mm, abs=8)
