"""Worse volumes are worse in the way their name says, and their readings still lie on the anatomy."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training import columns
from vfscreen.geometry.volume import Volume
from vfscreen.training.degradations import DEGRADATIONS, SWAY_MM
from vfscreen.training.readings import ReadVertebra


def bone_at(volume: Volume, vertebra: ReadVertebra) -> float:
    """Mean HU of a small box about a body's centre."""
    i, j, k = np.rint(volume.to_ijk(vertebra.centre_lps_mm)).astype(int)
    return float(volume.hu[k, j - 1 : j + 2, i - 1 : i + 2].mean())


@pytest.mark.parametrize("name", [n for n in DEGRADATIONS if n != "metal"])
def test_bodies_stay_where_the_reading_says(name: str) -> None:
    volume, vertebrae = DEGRADATIONS[name](columns.ct(), columns.vertebrae(), np.random.default_rng(0))
    assert volume.hu.dtype == np.int16
    for vertebra in vertebrae:
        assert bone_at(volume, vertebra) > 300
        # a body sheared sideways is as high and leans
        np.testing.assert_allclose(np.abs(np.diff(vertebra.keypoints_lps_mm[:2, 2])), columns.HEIGHT)


def test_thick_slices_are_thick_and_blur_the_endplates() -> None:
    volume, vertebrae = DEGRADATIONS["5 mm slices"](columns.ct(), columns.vertebrae(), np.random.default_rng(0))
    assert volume.spacing_mm[2] == pytest.approx(5.0)
    again, _ = DEGRADATIONS["5 mm slices"](volume, vertebrae, np.random.default_rng(0))
    np.testing.assert_array_equal(again.hu, volume.hu)
    # the centre of the bone's mass is where it was
    for v in (columns.ct(), volume):
        heavy = np.argwhere(v.hu > 275)[:, ::-1].astype(float)
        np.testing.assert_allclose(v.to_lps(heavy).mean(axis=0)[2], columns.centres()[:, 2].mean(), atol=1.6)


def test_noise_is_as_strong_as_said_and_repeats() -> None:
    clean = columns.ct()
    noisy, _ = DEGRADATIONS["noise of 60 HU"](clean, columns.vertebrae(), np.random.default_rng(3))
    assert np.std(noisy.hu.astype(float) - clean.hu) == pytest.approx(60.0, rel=0.05)
    same, _ = DEGRADATIONS["noise of 60 HU"](clean, columns.vertebrae(), np.random.default_rng(3))
    np.testing.assert_array_equal(noisy.hu, same.hu)


def test_metal_is_in_the_lowest_vertebra_alone() -> None:
    volume, vertebrae = DEGRADATIONS["metal"](columns.ct(), columns.vertebrae(), np.random.default_rng(0))
    z = volume.to_lps(np.argwhere(volume.hu > 2500)[:, ::-1].astype(float))[:, 2]
    assert len(z) > 50
    assert np.abs(z - vertebrae[-1].centre_lps_mm[2]).max() < 4.0


def test_scoliosis_moves_bodies_sideways_by_different_amounts() -> None:
    _, vertebrae = DEGRADATIONS["scoliosis"](columns.ct(), columns.vertebrae(), np.random.default_rng(0))
    shift = np.array([v.centre_lps_mm[0] for v in vertebrae]) - columns.centres()[:, 0]
    assert np.ptp(shift) > SWAY_MM
    assert np.abs(shift).max() <= SWAY_MM
