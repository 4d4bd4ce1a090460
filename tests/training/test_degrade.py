"""Degradation changes looks, not geometry."""

from __future__ import annotations

import numpy as np
import pytest

from vfscreen.training.degrade import degrade, noisy_slices, thick_slices


def step() -> np.ndarray:
    image = np.zeros((1, 80, 40), np.float32)
    image[:, 40:] = 1000.0
    return image


@pytest.mark.parametrize("thickness", [1.0, 2.5, 5.0])
@pytest.mark.parametrize("phase", [0.0, 0.3, 0.9])
def test_thick_slices_blur_an_edge_but_do_not_move_it(thickness: float, phase: float) -> None:
    out = thick_slices(step(), thickness, 0.0, phase)[0, :, 20]
    crossing = float(np.interp(500.0, out[30:50], np.arange(30.0, 50.0)))
    assert abs(crossing - 39.5) <= 0.5 * thickness + 0.5


def test_sloped_slices_keep_a_sloped_edge() -> None:
    flat = thick_slices(step(), 3.0, 0.1, 0.5)
    assert flat.shape == (1, 80, 40)
    assert abs(float((flat > 500).mean()) - 0.5) < 0.05


def test_off_means_off() -> None:
    image = np.random.default_rng(0).normal(100, 50, (3, 40, 30)).astype(np.float32)
    np.testing.assert_allclose(degrade(image, np.random.default_rng(1), hard=0.0), image, atol=1e-3)


def test_noise_is_added() -> None:
    image = np.full((3, 64, 64), 100.0, np.float32)
    spread = [float(degrade(image, np.random.default_rng(n)).std()) for n in range(12)]
    assert max(spread) > 10


def test_the_noise_of_slices_is_alike_between_rows_of_one_slice_and_leaves_edges_in_place() -> None:
    image = np.repeat(step(), 5, axis=0)
    drawn = [noisy_slices(image, np.random.default_rng(n), 0.5) for n in range(24)]
    assert all(out.shape == image.shape and out.dtype == np.float32 for out in drawn)
    noise = np.stack([out[:, :28] for out in drawn]).astype(np.float64)
    noise -= noise.mean(axis=(2, 3), keepdims=True)
    along = (noise[:, :, 1:] * noise[:, :, :-1]).sum() / (noise**2).sum()
    assert along > 0.5  # white noise would be near 0
    mean = np.mean(drawn, axis=(0, 1, 3))
    crossing = float(np.interp(500.0, mean[20:60], np.arange(20.0, 60.0)))
    assert abs(crossing - 39.5) < 1.0


def test_streaks_are_shared_by_planes_side_by_side() -> None:
    image = np.zeros((5, 60, 60), np.float32)
    shared = []
    for n in range(24):
        out = noisy_slices(image, np.random.default_rng(n), 0.5)
        shared.append(float(np.corrcoef(out[0].ravel(), out[4].ravel())[0, 1]))
    assert 4 <= sum(value > 0.3 for value in shared) <= 16  # 40 % of the draws have them
