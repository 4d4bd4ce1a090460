"""Shapes in the beam: rods and blobs of any substance, painted into the line integrals of a film.

Belongs here: the two primitives and their painting. Does not belong here: which objects a film shows (beam_scenes),
the exposure.

Positions and sizes are pixels of the film, (row, column); amounts are per mm of the object along the ray.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Image = NDArray[np.float32]
Substance = Literal["soft", "bone", "metal"]


@dataclass(frozen=True, eq=False)
class Rod:
    """A round rod or tube along `path` (N, 2). radius, core: outer and inner radius; core 0 is solid. amount: of
    attenuation a mm, in mm of water (soft, bone) or attenuation lengths (metal). thread: share by which the radius of a
    screw's thread swings, thread_px long."""

    path: Float
    radius: float
    substance: Substance
    amount: float
    core: float = 0.0
    thread: float = 0.0
    thread_px: float = 4.0


@dataclass(frozen=True, eq=False)
class Blob:
    """A body of outline |a|^power + |b|^power = 1 along its two axes. centre (2,), radii (2,), angle_rad of the first
    axis. depth_mm: its thickness along the ray in the middle. roundness: 0.5 an ellipsoid, 0 a slab, 2 a soft mound.
    ripple: (amplitude, phase) of an irregular outline by harmonics 2, 3, ..."""

    centre: Float
    radii: tuple[float, float]
    substance: Substance
    amount: float
    depth_mm: float
    angle_rad: float = 0.0
    power: float = 2.0
    roundness: float = 0.5
    ripple: tuple[tuple[float, float], ...] = field(default=())


BeamObject = Rod | Blob


def paint(objects: Sequence[BeamObject], shape: tuple[int, int], pixel_mm: float) -> dict[Substance, Image]:
    """What the objects add to a film of `shape`: soft and bone in mm of water, metal in attenuation lengths."""
    found: dict[Substance, Image] = {}
    for item in objects:
        target = found.setdefault(item.substance, np.zeros(shape, dtype=np.float32))
        if isinstance(item, Rod):
            _paint_rod(item, target, pixel_mm)
        else:
            _paint_blob(item, target)
    return found


def _box(low: Float, high: Float, shape: tuple[int, int]) -> tuple[slice, slice] | None:
    first = np.maximum(np.floor(low), 0).astype(int)
    last = np.minimum(np.ceil(high) + 1, shape).astype(int)
    return (slice(first[0], last[0]), slice(first[1], last[1])) if (first < last).all() else None


def _paint_rod(rod: Rod, target: Image, pixel_mm: float) -> None:
    reach = rod.radius * (1.0 + rod.thread) + 1.0
    outer = _box(rod.path.min(axis=0) - reach, rod.path.max(axis=0) + reach, target.shape)
    if outer is None:
        return
    size = outer[0].stop - outer[0].start, outer[1].stop - outer[1].start
    distance2 = np.full(size, 1e9, dtype=np.float32)
    corner = np.array([outer[0].start, outer[1].start])
    along = np.zeros(size, dtype=np.float32) if rod.thread > 0 else None
    for start, end in pairwise(rod.path - corner):
        box = _box(np.minimum(start, end) - reach, np.maximum(start, end) + reach, size)
        if box is None:
            continue
        r = np.arange(box[0].start, box[0].stop, dtype=np.float32)[:, None] - np.float32(start[0])
        c = np.arange(box[1].start, box[1].stop, dtype=np.float32)[None, :] - np.float32(start[1])
        way = (end - start).astype(np.float32)
        length2 = max(float(way @ way), 1e-6)
        t = np.clip((r * way[0] + c * way[1]) / np.float32(length2), 0.0, 1.0)
        near = (r - t * way[0]) ** 2 + (c - t * way[1]) ** 2
        if along is not None:
            np.copyto(along[box], t * np.float32(np.sqrt(length2)), where=near < distance2[box])
        np.minimum(distance2[box], near, out=distance2[box])
    radius2: Image | float = rod.radius**2
    if along is not None:
        swing = np.float32(rod.thread) * np.sin(along * np.float32(2 * np.pi / rod.thread_px))
        radius2 = np.square(np.float32(rod.radius) * (1 + swing))
    chord = np.sqrt(np.maximum(radius2 - distance2, np.float32(0.0)))
    if rod.core > 0:
        chord -= np.sqrt(np.maximum(np.float32(rod.core**2) - distance2, 0.0))
    # rods thinner than a pixel keep their share of it
    thin = min(rod.radius / 0.7, 1.0)
    if thin < 1.0:
        chord = thin * rod.radius * np.clip(1.2 - np.sqrt(distance2), 0.0, 1.0)
    target[outer] += chord * np.float32(2.0 * pixel_mm * rod.amount)


def _paint_blob(blob: Blob, target: Image) -> None:
    reach = max(blob.radii) * (1.0 + sum(abs(a) for a, _ in blob.ripple))
    box = _box(blob.centre - reach, blob.centre + reach, target.shape)
    if box is None:
        return
    r = np.arange(box[0].start, box[0].stop, dtype=np.float32)[:, None] - np.float32(blob.centre[0])
    c = np.arange(box[1].start, box[1].stop, dtype=np.float32)[None, :] - np.float32(blob.centre[1])
    cos, sin = np.float32(np.cos(blob.angle_rad)), np.float32(np.sin(blob.angle_rad))
    a, b = (cos * r + sin * c) / np.float32(blob.radii[0]), (cos * c - sin * r) / np.float32(blob.radii[1])
    if blob.power == 2.0:
        rho2 = a * a + b * b
    else:
        rho2 = (np.abs(a) ** blob.power + np.abs(b) ** blob.power) ** (2.0 / blob.power)
    if blob.ripple:
        turn = np.arctan2(b, a)
        swing = sum(s * np.cos((n + 2) * turn + phase) for n, (s, phase) in enumerate(blob.ripple))
        rho2 = rho2 / np.square(np.maximum(1.0 + swing, 0.3))
    inside = np.maximum(1.0 - rho2, 0.0)
    if blob.roundness < 0.2:  # a slab: full at once, with an edge of a pixel
        profile = np.clip(inside * np.float32(0.5 * min(blob.radii)), 0.0, 1.0)
    else:
        profile = inside ** np.float32(blob.roundness)
    target[box] += profile * np.float32(blob.depth_mm * blob.amount)
