"""Volumes made worse in known ways, with their readings: thick slices, noise, contrast, streaks, metal, scoliosis.

Belongs here: one volume in, a worse one and its reading out. Does not belong here: augmentation for training (degrade),
measuring (model_table).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates, uniform_filter1d

from vfscreen.geometry.volume import AIR_HU, Volume
from vfscreen.training.readings import ReadVertebra

Float = NDArray[np.float64]
Case = tuple[Volume, tuple[ReadVertebra, ...]]

SWAY_MM, SWAY_LENGTH_MM = 15.0, 260.0
"""A curve of about 20 degrees: sideways displacement and the length of its full wave."""


def as_it_is(volume: Volume, vertebrae: Sequence[ReadVertebra], rng: np.random.Generator) -> Case:
    return volume, tuple(vertebrae)


def thick_slices(volume: Volume, vertebrae: Sequence[ReadVertebra], rng: np.random.Generator) -> Case:
    """Slices of at least 5 mm: neighbours averaged, every n-th kept. Thick ones stay as they are."""
    axis = _axial_axis(volume)
    step = max(round(5.0 / volume.spacing_mm[2 - axis]), 1)
    smooth = uniform_filter1d(volume.hu.astype(np.float32), step, axis=axis, mode="nearest")
    affine = volume.affine_lps.copy()
    affine[:3, 3] += affine[:3, 2 - axis] * (step // 2)
    affine[:3, 2 - axis] *= step
    kept = np.take(smooth, np.arange(step // 2, volume.hu.shape[axis], step), axis=axis)
    return _volume(kept, affine), tuple(vertebrae)


def noise(volume: Volume, vertebrae: Sequence[ReadVertebra], rng: np.random.Generator) -> Case:
    """60 HU of noise on top, correlated within the slice as a soft kernel leaves it."""
    grain = gaussian_filter(rng.standard_normal(volume.hu.shape, dtype=np.float32), (0.0, 0.7, 0.7))
    grain *= 60.0 / float(grain.std())
    return _volume(volume.hu + np.where(volume.hu > -900, grain, 0), volume.affine_lps), tuple(vertebrae)


def contrast(volume: Volume, vertebrae: Sequence[ReadVertebra], rng: np.random.Generator) -> Case:
    """Marrow and vessels 60 % denser above soft tissue, as after contrast medium at a low tube voltage."""
    hu = volume.hu.astype(np.float32)
    return _volume(np.where(hu > 50, 50 + 1.6 * (hu - 50), hu), volume.affine_lps), tuple(vertebrae)


def streaks(volume: Volume, vertebrae: Sequence[ReadVertebra], rng: np.random.Generator) -> Case:
    """Photon starvation between arms at the sides: horizontal streaks in every slice, other ones in the next."""
    axis = _axial_axis(volume)
    moved = np.moveaxis(volume.hu, axis, 0).astype(np.float32)
    rows = gaussian_filter(rng.standard_normal((*moved.shape[:2], 1)), (0.0, 1.0, 0.0)).astype(np.float32)
    moved = moved + np.where(moved > -900, 45.0 * rows / float(rows.std()), 0)
    return _volume(np.moveaxis(moved, 0, axis), volume.affine_lps), tuple(vertebrae)


def metal(volume: Volume, vertebrae: Sequence[ReadVertebra], rng: np.random.Generator) -> Case:
    """Pedicle screws with dark and bright fans in the lowest read vertebra that is not the only one."""
    centre = vertebrae[-1].centre_lps_mm
    grid = [np.arange(n) for n in volume.hu.shape]
    near = [slice(None)] * 3
    lps = volume.to_lps(np.stack(np.meshgrid(grid[2], grid[1], grid[0], indexing="ij"), axis=-1).astype(np.float64))
    offset = np.transpose(lps - centre, (2, 1, 0, 3))
    hu = volume.hu[tuple(near)].astype(np.float32)
    x, y, z = np.moveaxis(offset, -1, 0)
    for side in (-1.0, 1.0):
        across, along = np.hypot(x - side * (9 + 0.25 * y), z), y
        radius = np.hypot(x - side * 14, y - 12)
        fan = 250.0 * np.cos(6 * np.arctan2(y - 12, x - side * 14)) * np.exp(-radius / 25.0) * (np.abs(z) < 6)
        hu = hu + np.where(hu > -900, fan, 0)
        hu = np.where((across < 3.0) & (along > -8) & (along < 40), 3000.0, hu)
    return _volume(hu, volume.affine_lps), tuple(vertebrae)


def scoliosis(volume: Volume, vertebrae: Sequence[ReadVertebra], rng: np.random.Generator) -> Case:
    """The body sheared sideways along a wave of SWAY_MM; the points move with it."""
    axis = _axial_axis(volume)
    middle = float(np.mean([v.centre_lps_mm[2] for v in vertebrae]))

    def sway(z: Float) -> Float:
        return np.asarray(SWAY_MM * np.sin(2 * np.pi * (z - middle) / SWAY_LENGTH_MM))

    moved = np.empty_like(volume.hu)
    for n in range(volume.hu.shape[axis]):
        index: list[int | slice] = [slice(None)] * 3
        index[axis] = n
        plane = volume.hu[tuple(index)]
        at = np.zeros(3)
        at[2 - axis] = n
        shift = volume.inverse_affine[:3, 0] * float(sway(volume.to_lps(at)[2]))
        rows_columns = [d for d in range(3) if d != axis]
        grid = np.meshgrid(*(np.arange(size, dtype=np.float64) for size in plane.shape), indexing="ij")
        source = [g - shift[2 - d] for g, d in zip(grid, rows_columns, strict=True)]
        moved[tuple(index)] = map_coordinates(plane, source, order=1, cval=AIR_HU, prefilter=False)
    swayed = tuple(
        replace(v, keypoints_lps_mm=v.keypoints_lps_mm + np.outer(sway(v.keypoints_lps_mm[:, 2]), [1.0, 0.0, 0.0]))
        for v in vertebrae
    )
    return Volume(moved, volume.affine_lps), swayed


DEGRADATIONS: dict[str, Callable[[Volume, Sequence[ReadVertebra], np.random.Generator], Case]] = {
    "as it is": as_it_is,
    "5 mm slices": thick_slices,
    "noise of 60 HU": noise,
    "contrast": contrast,
    "streaks": streaks,
    "metal": metal,
    "scoliosis": scoliosis,
}


def _axial_axis(volume: Volume) -> int:
    """The array axis that runs along the patient's long axis."""
    return 2 - int(np.argmax(np.abs(volume.affine_lps[2, :3])))


def _volume(hu: NDArray[np.number[Any]], affine: Float) -> Volume:
    return Volume(np.clip(np.rint(hu), AIR_HU, 3071).astype(np.int16), affine)
