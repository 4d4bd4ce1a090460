"""Render a vertebra label map as if it were CT: real (fractured) shapes with drawn tissue.

Belongs here: label map -> HU, at random (after Billot et al., SynthSeg, Medical Image Analysis 86 (2023): contrast is
drawn, shape is real). Does not belong here: reading points off the map (masks), scanner effects (degrade).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, find_objects, gaussian_filter, zoom

from vfscreen.geometry.volume import Volume
from vfscreen.training.masks import VERSE_LEVELS

Float = NDArray[np.float64]
Field = NDArray[np.float32]

GRID_MM = 1.0
_REACH_MM = 10.0


def render_labels(labels: Volume, rng: np.random.Generator) -> Volume:
    """A CT-like volume on about `GRID_MM` voxels over the label map: shell and marrow, discs, soft tissue, fat, air."""
    factors = np.array(labels.spacing_mm[::-1]) / GRID_MM
    shape = tuple(round(n * f) for n, f in zip(labels.hu.shape, factors, strict=True))
    steps = np.array(labels.hu.shape) / np.array(shape)  # label voxels a rendered voxel, along k, j, i
    depth, second = _depths(labels, shape)

    def texture(sigma_mm: float) -> Field:
        field = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma_mm / GRID_MM, truncate=3.0)
        return np.asarray(field / max(float(field.std()), 1e-6), dtype=np.float32)

    coarse = texture(9.0)
    hu = np.float32(rng.uniform(30, 70)) + np.float32(rng.uniform(4, 14)) * texture(3.0)
    hu = np.where(coarse > rng.uniform(0.3, 1.5), np.float32(rng.uniform(-110, -60)), hu)
    if rng.random() < 0.5:
        away = depth < -rng.uniform(6.0, 9.0)
        hu = np.where(away & (texture(14.0) > rng.uniform(0.3, 1.2)), np.float32(rng.uniform(-900, -750)), hu)
    disc = np.clip((second + rng.uniform(5.0, 8.0)) / 2.0, 0, 1)
    hu = hu + disc * (np.float32(rng.uniform(60, 120)) - hu)

    shell_mm = float(rng.uniform(0.6, 1.4))
    cortex, marrow = float(rng.uniform(300, 800)), float(rng.uniform(40, 260))
    inside = np.clip(depth / GRID_MM + 0.5, 0, 1)
    core = np.clip((depth - shell_mm) / GRID_MM + 0.5, 0, 1)
    trabeculae = (
        np.float32(marrow)
        + np.float32(rng.uniform(10, 45)) * texture(0.8)
        + np.float32(rng.uniform(5, 25)) * texture(4.0)
    )
    bone = np.float32(cortex * rng.uniform(0.8, 1.0)) + np.float32(0.2 * cortex) * texture(2.5)
    hu = hu + inside * (bone - hu)
    hu = hu + core * (trabeculae - hu)
    affine = labels.affine_lps.copy()
    affine[:3, :3] = labels.affine_lps[:3, :3] * steps[::-1]
    affine[:3, 3] = labels.to_lps((steps[::-1] - 1) / 2)
    return Volume(np.clip(np.rint(hu), -1024, 3071).astype(np.int16), affine)


def _depths(labels: Volume, shape: tuple[int, ...]) -> tuple[Field, Field]:
    """Signed distance into the nearest and the second nearest vertebra, mm (negative outside, at least -_REACH_MM)."""
    sampling = labels.spacing_mm[::-1]
    first = np.full(shape, -_REACH_MM, dtype=np.float32)
    second = np.full(shape, -_REACH_MM, dtype=np.float32)
    boxes = find_objects(np.asarray(labels.hu, dtype=np.int32))
    for index, box in enumerate(boxes):
        if box is None or index + 1 not in VERSE_LEVELS:
            continue
        around = tuple(
            slice(max(s.start - int(_REACH_MM / d) - 1, 0), min(s.stop + int(_REACH_MM / d) + 1, n))
            for s, d, n in zip(box, sampling, labels.hu.shape, strict=True)
        )
        mask = labels.hu[around] == index + 1
        # a mask's surface lies half a voxel outside its outermost voxel centres
        half = 0.5 * min(sampling)
        signed = np.where(
            mask,
            distance_transform_edt(mask, sampling=sampling) - half,
            half - distance_transform_edt(~mask, sampling=sampling),
        ).astype(np.float32)
        target = tuple(
            slice(round(s.start * n / o), round(s.stop * n / o))
            for s, n, o in zip(around, shape, labels.hu.shape, strict=True)
        )
        size = tuple(s.stop - s.start for s in target)
        fine = zoom(
            signed, [n / o for n, o in zip(size, signed.shape, strict=True)], order=1, grid_mode=True, mode="nearest"
        )
        a, b = first[target], second[target]
        np.copyto(b, np.maximum(b, np.minimum(a, fine)))
        np.copyto(a, np.maximum(a, fine))
    return first, second
