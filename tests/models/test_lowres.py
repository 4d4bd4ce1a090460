"""The coarse grid: right values at right places whatever the voxel order, and the same for every copy of a series."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vfscreen.geometry.volume import AIR_HU, Volume
from vfscreen.models.lowres import CELL_MM, CELLS_MAX, to_low_resolution


def volume_of(function, shape_kji, affine) -> Volume:
    """A volume whose HU are a function of LPS mm."""
    k, j, i = np.meshgrid(*[np.arange(n) for n in shape_kji], indexing="ij")
    lps = np.stack([i, j, k], axis=-1) @ affine[:3, :3].T + affine[:3, 3]
    return Volume(np.rint(function(lps)).astype(np.int16), affine)


def slope(lps) -> np.ndarray:
    return 200.0 + lps @ np.array([2.0, -1.5, 1.0])


def rearranged(volume: Volume, order: tuple[int, int, int], flipped: tuple[bool, bool, bool]) -> Volume:
    """The same patient with array axes exchanged and reversed; a view, as a reader might hand it over."""
    hu, affine = volume.hu, volume.affine_lps.copy()
    for axis, turn in enumerate(flipped):
        if turn:
            column = 2 - axis
            affine[:3, 3] += affine[:3, column] * (hu.shape[axis] - 1)
            affine[:3, column] *= -1
            hu = np.flip(hu, axis)
    exchanged = affine.copy()
    for axis, source in enumerate(order):
        exchanged[:3, 2 - axis] = affine[:3, 2 - source]
    return Volume(hu.transpose(order), exchanged)


@settings(max_examples=30, deadline=None)
@given(
    spacing=st.tuples(st.floats(0.4, 1.5), st.floats(0.4, 1.5), st.floats(0.5, 6.0)),
    angles=st.tuples(st.floats(-30, 30), st.floats(-30, 30), st.floats(-30, 30)),
    shear=st.floats(-0.3, 0.3),
)
def test_a_linear_field_is_reproduced_under_rotation_spacing_and_shear(spacing, angles, shear) -> None:
    shape = tuple(round(90.0 / s) for s in reversed(spacing))
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * np.array(spacing)
    affine[:3, 2] += shear * spacing[2] * affine[:3, 1] / spacing[1]
    affine[:3, 3] = (12.5, -40.0, 300.0)
    volume = volume_of(slope, shape, affine)
    grid = to_low_resolution(volume)
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.image.shape], indexing="ij"), axis=-1)
    lps = grid.to_lps(index)
    deep = volume.contains(lps, margin_mm=CELL_MM + max(spacing))
    assert deep.sum() > 50
    expected = (slope(lps[deep]) + 1000.0) / 1000.0
    assert np.abs(grid.image[deep] - expected).max() < 0.004


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flipped", [(True, False, False), (False, True, True), (True, True, True)])
def test_copies_in_another_voxel_order_give_the_same_grid(order, flipped) -> None:
    rng = np.random.default_rng(5)
    affine = np.diag([0.75, 0.7, 2.5, 1.0])
    affine[:3, 3] = (-31.0, 12.0, 77.7)
    volume = Volume(rng.integers(-1000, 1500, (31, 90, 101)).astype(np.int16), affine)
    one, other = to_low_resolution(volume), to_low_resolution(rearranged(volume, order, flipped))
    assert one.image.shape == other.image.shape
    assert np.allclose(one.origin_lps_mm, other.origin_lps_mm, atol=1e-9)
    assert np.abs(one.image - other.image).max() < 1e-4


def test_thin_slices_are_averaged_not_picked() -> None:
    """Noise shrinks with the root of the voxels in a cell; picked voxels would keep all of it."""
    rng = np.random.default_rng(0)
    hu = rng.normal(100.0, 100.0, (120, 100, 100)).astype(np.int16)
    grid = to_low_resolution(Volume(hu, np.diag([1.0, 1.0, 0.5, 1.0])))
    inside = grid.image[3:-3, 3:-3, 3:-3]
    assert inside.mean() == pytest.approx(1.1, abs=0.003)
    assert inside.std() < 2.0 * 0.1 / np.sqrt(4 * 4 * 4)


def test_only_the_body_is_kept_and_its_place_is_known() -> None:
    def body(lps):
        return np.where(((lps / np.array([60.0, 40.0, 1e3])) ** 2).sum(axis=-1) < 1, 40.0, -1000.0)

    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    affine[:3, 3] = (-200.0, -150.0, -30.0)
    grid = to_low_resolution(volume_of(body, (20, 150, 200), affine))
    low, high = grid.to_lps(np.zeros(3)), grid.to_lps(np.array(grid.image.shape) - 1)
    assert np.all(low[:2] > [-75.0, -55.0]) and np.all(low[:2] < [-60.0, -40.0])
    assert np.all(high[:2] < [75.0, 55.0]) and np.all(high[:2] > [60.0, 40.0])
    assert np.allclose(grid.from_lps(grid.to_lps(np.array([1.5, 2.0, 3.25]))), [1.5, 2.0, 3.25])


@pytest.mark.parametrize("value", [AIR_HU, -32768])
def test_a_volume_without_body_is_an_empty_grid(value) -> None:
    grid = to_low_resolution(Volume(np.full((10, 30, 30), value, dtype=np.int16), np.diag([1.0, 1.0, 3.0, 1.0])))
    assert grid.image.size == 0


def test_size_is_bounded_whatever_the_spacing_claims() -> None:
    hu = np.zeros((30, 40, 50), dtype=np.int16)
    grid = to_low_resolution(Volume(hu, np.diag([40.0, 40.0, 150.0, 1.0])))
    assert all(n <= most for n, most in zip(grid.image.shape, CELLS_MAX, strict=True))


def test_read_only_pixels_are_taken_and_torch_threads_left_as_they_were(recwarn) -> None:
    hu = np.zeros((10, 30, 30), dtype=np.int16)
    hu.flags.writeable = False
    before = torch.get_num_threads()
    assert to_low_resolution(Volume(hu, np.diag([2.0, 2.0, 3.0, 1.0]))).image.size > 0
    assert torch.get_num_threads() == before
    assert not recwarn.list
