"""Degradation changes looks, not geometry."""

from __future__ import annotations

import numpy as np
import pytest

from vfscreen.training.degrade import degrade, thick_slices


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
