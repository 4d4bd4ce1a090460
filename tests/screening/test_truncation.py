"""A vertebra cut by what was pictured is told from a whole one: the volume's edge, padding within it, a short body."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training import columns
from vfscreen.geometry.volume import AIR_HU, Volume
from vfscreen.screening.truncation import ends_in_padding, is_cut_short, is_truncated

POINTS = columns.vertebrae()[1].keypoints_lps_mm
TOP = float(POINTS[0::2, 2].mean())


def padded_above(z: float, value: int, front: float = np.inf) -> Volume:
    """The CT with `value` above `z`, as far back as y = `front`."""
    volume = columns.ct()
    hu = volume.hu.copy()
    k = np.arange(hu.shape[0]) + volume.affine_lps[2, 3]
    j = np.arange(hu.shape[1]) + volume.affine_lps[1, 3]
    hu[np.ix_(k > z, j < front)] = value
    return replace(volume, hu=hu)


@pytest.mark.parametrize("value", [AIR_HU, -2048])
@pytest.mark.parametrize("gap_mm", [-6.0, 0.0, 1.5])
def test_padding_that_follows_on_an_endplate_cuts_the_vertebra(value: int, gap_mm: float) -> None:
    volume = padded_above(TOP + gap_mm, value)
    assert ends_in_padding(volume, POINTS)
    assert not ends_in_padding(volume, columns.vertebrae()[3].keypoints_lps_mm)


def test_padding_in_front_alone_does_too() -> None:
    assert ends_in_padding(padded_above(TOP, AIR_HU, front=float(POINTS[0, 1]) + 3.0), POINTS)


@pytest.mark.parametrize("value", [-1000, -900, 50])
def test_lung_trachea_and_gas_in_a_disc_do_not(value: int) -> None:
    assert not ends_in_padding(padded_above(TOP, value), POINTS)


def test_a_thin_layer_and_padding_farther_off_do_not() -> None:
    volume = padded_above(TOP + 7.0, AIR_HU)
    assert not ends_in_padding(volume, POINTS)
    hu = columns.ct().hu.copy()
    k = round(TOP + 3.0 - volume.affine_lps[2, 3])
    hu[k : k + 2] = AIR_HU
    assert not ends_in_padding(replace(volume, hu=hu), POINTS)


@pytest.mark.parametrize("slices", [1, 2, 4])
def test_a_whole_body_near_the_volumes_edge_is_graded_and_padding_up_to_the_edge_cuts_it(slices: int) -> None:
    volume = columns.ct()
    k = round(TOP - volume.affine_lps[2, 3])
    assert not ends_in_padding(Volume(volume.hu[: k + 1 + slices], volume.affine_lps), POINTS)
    padded = padded_above(TOP, AIR_HU)
    assert ends_in_padding(Volume(padded.hu[: k + 4], padded.affine_lps), POINTS)


def test_a_body_at_the_volumes_edge_is_cut_and_a_short_one_there_may_be() -> None:
    volume = columns.ct()
    k = round(TOP - volume.affine_lps[2, 3])
    cut = Volume(volume.hu[: k + 1], volume.affine_lps)  # the last slice lies on the endplate
    assert is_truncated(cut, POINTS, 1.0)
    assert not is_truncated(volume, POINTS, 1.0)
    short = POINTS.copy()
    short[0::2, 2] -= 8.0
    lower = Volume(volume.hu[: k - 6], volume.affine_lps)
    assert is_cut_short(lower, short, columns.HEIGHT, 3.0)
    assert not is_cut_short(volume, short, columns.HEIGHT, 3.0)
