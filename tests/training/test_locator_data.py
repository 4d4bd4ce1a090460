"""Crops for the locator: image and truth must move together."""

from __future__ import annotations

import numpy as np
import pytest

from vfscreen.geometry.volume import Volume
from vfscreen.models.ports import COLUMN_CLASSES
from vfscreen.training.locator_cases import UNKNOWN, LocatorCase, column_truth
from vfscreen.training.locator_data import SHAPES, draw_sample


@pytest.fixture(scope="module")
def beads() -> LocatorCase:
    """A bright straight-ish rod in water: where the truth is, there is the brightest cell."""
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = (-150.0, -120.0, -210.0)
    k, j, i = np.mgrid[:140, :90, :100]
    x, y, z = (a * 3.0 + o for a, o in ((i, -150.0), (j, -120.0), (k, -210.0)))
    course = 20.0 * np.sin(z / 90.0)
    hu = 1400.0 * np.exp(-((x - 10.0) ** 2 + (y - course) ** 2) / (2 * 7.0**2))
    zs = np.linspace(-200, 200, 100)
    line = np.column_stack([np.full(100, 10.0), 20.0 * np.sin(zs / 90.0), zs])
    centres = [("T12", np.array([10.0, 0.0, 15.0])), ("L1", np.array([10.0, 0.0, -15.0]))]
    return LocatorCase("beads", Volume(hu.astype(np.int16), affine), column_truth(line, centres, None, 200.0))


@pytest.mark.parametrize("seed", range(12))
def test_the_truth_stays_on_the_rod_through_every_warp(beads, seed) -> None:
    rng = np.random.default_rng(seed)
    sample = draw_sample(beads, SHAPES[seed % len(SHAPES)], rng)
    planes = np.flatnonzero(sample.located > 0.5)
    found = []
    for m in planes:
        image = sample.image[2 * m : 2 * m + 2].mean(axis=0)
        x, y = sample.xy[m]
        top, left = max(int(y) - 6, 0), max(int(x) - 6, 0)
        patch = np.clip(image[top : top + 13, left : left + 13] - 1.25, 0, None) ** 2
        if patch.sum() < 0.5:
            continue  # cut by the scanner's circle
        rows, columns = np.mgrid[top : top + patch.shape[0], left : left + patch.shape[1]]
        found.append(np.hypot((rows * patch).sum() / patch.sum() - y, (columns * patch).sum() / patch.sum() - x))
    assert len(planes) >= 3
    assert len(found) > 0.5 * len(planes)
    assert np.median(found) < 0.6


def test_samples_depend_on_the_generator_alone(beads) -> None:
    one, other = (draw_sample(beads, SHAPES[2], np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(one.image, other.image)
    assert np.array_equal(one.xy, other.xy)


def test_labels_are_sound(beads) -> None:
    for seed in range(20):
        sample = draw_sample(beads, SHAPES[seed % len(SHAPES)], np.random.default_rng(seed))
        assert set(np.unique(sample.presence)) <= {UNKNOWN, 0.0, 1.0}
        assert np.all(sample.presence[sample.located > 0.5] == 1.0)
        assert np.all(np.isin(sample.levels.sum(axis=1).round(5), [0.0, 1.0]))
        assert sample.image.min() >= 0.0 and sample.image.max() <= 3.0
        assert sample.levels.shape[1] == len(COLUMN_CLASSES)
