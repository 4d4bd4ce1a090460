"""Implants of a column on a film: pedicle screws and rods, cages between bodies, cement in them.

Belongs here: where they lie on a column. Does not belong here: painting them (beam_objects), everything that is not
fixed to a vertebra (beam_scenes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.synthesis.beam_objects import BeamObject, Blob, Rod

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FilmColumn:
    """The vertebrae of a film, px. points: (V, 6, 2) (row, column). centres, forward, up: (V, 2), the latter two unit
    vectors to the front and to the head. depth, height: (V,)."""

    points: Float
    centres: Float
    forward: Float
    up: Float
    depth: Float
    height: Float


def film_column(points: Float) -> FilmColumn:
    """points: (V, 6, 2) (row, column) in KEYPOINTS order, superior to inferior."""
    front, back = points[:, 0:2].mean(axis=1), points[:, 4:6].mean(axis=1)
    top, bottom = points[:, 0::2].mean(axis=1), points[:, 1::2].mean(axis=1)
    depth = np.linalg.norm(front - back, axis=1)
    height = np.linalg.norm(top - bottom, axis=1)
    forward = (front - back) / np.maximum(depth, 1.0)[:, None]
    up = (top - bottom) / np.maximum(height, 1.0)[:, None]
    return FilmColumn(points, points.mean(axis=1), forward, up, depth, height)


def _run(rng: np.random.Generator, count: int, longest: int) -> range:
    length = int(rng.integers(2, max(min(longest, count), 2) + 1))
    first = int(rng.integers(0, max(count - length, 0) + 1))
    return range(first, min(first + length, count))


def screws(rng: np.random.Generator, column: FilmColumn, mm: float) -> list[BeamObject]:
    """Pedicle screws on both sides of neighbouring vertebrae, joined by two rods behind them."""
    found: list[BeamObject] = []
    run = _run(rng, len(column.centres), 11)
    amount = float(rng.uniform(0.12, 0.5))  # titanium to steel
    thick, long = rng.uniform(2.0, 3.4) * mm, rng.uniform(0.55, 0.9)
    skipped = rng.random(len(column.centres)) < 0.2
    for _ in range(2):
        heads = []
        aside = rng.normal(0, 2.0, 2) * mm
        for v in run:
            up, forward = column.up[v], column.forward[v]
            entry = column.centres[v] - forward * (0.5 * column.depth[v] + rng.uniform(16, 22) * mm)
            entry = entry + up * (0.18 * column.height[v] + rng.normal(0, 1.5) * mm) + aside
            tip = column.centres[v] + forward * (long - 0.5) * column.depth[v] + up * rng.normal(0, 2.5) * mm + aside
            heads.append(entry)
            if skipped[v]:
                continue
            screw = np.stack([entry, tip])
            found.append(Rod(screw, float(thick), "metal", amount, thread=0.14, thread_px=2.6 * mm))
            found.append(Blob(entry, (6.0 * mm, 4.5 * mm), "metal", amount, 9.0, float(rng.normal(0, 0.2)), 3.0, 0.0))
        if len(heads) > 1:
            found.append(Rod(np.stack(heads), float(rng.uniform(2.5, 3.2) * mm), "metal", amount))
    return found


def cages(rng: np.random.Generator, column: FilmColumn, mm: float) -> list[BeamObject]:
    """Cages between bodies: metal boxes, or plastic ones of which only the markers show."""
    found: list[BeamObject] = []
    for v in range(len(column.centres) - 1):
        if rng.random() > 0.35:
            continue
        lower, upper = column.points[v + 1, 2], column.points[v, 3]
        centre, tall = (lower + upper) / 2, float(np.linalg.norm(lower - upper))
        across, half = column.forward[v], rng.uniform(0.25, 0.42) * column.depth[v]
        if rng.random() < 0.5:
            angle = float(np.arctan2(across[1], across[0]))
            found.append(
                Blob(centre, (half, max(tall, 5.0 * mm) / 2), "metal", rng.uniform(0.03, 0.3), 9.0, angle, 6.0, 0.0)
            )
        else:
            spots = [centre + across * at * half for at in (-0.8, -0.1, 0.8)]
            found += [Blob(spot, (1.2 * mm, 1.2 * mm), "metal", 0.6, 2.5) for spot in spots]
    return found


def cement(rng: np.random.Generator, column: FilmColumn, mm: float) -> list[BeamObject]:
    """Bone cement in a body: an irregular dense cast, now and then leaking."""
    found: list[BeamObject] = []
    v = int(rng.integers(len(column.centres)))
    amount = float(rng.uniform(0.03, 0.16))
    for _ in range(int(rng.integers(1, 4))):
        at = column.centres[v] + rng.normal(0, 0.14, 2) * column.depth[v]
        size = column.depth[v] * rng.uniform(0.14, 0.34), column.height[v] * rng.uniform(0.15, 0.36)
        ripple = tuple((float(rng.normal(0, 0.13)), float(rng.uniform(0, 6.3))) for _ in range(4))
        angle = float(np.arctan2(column.forward[v, 1], column.forward[v, 0]) + rng.normal(0, 0.4))
        found.append(Blob(at, (float(size[0]), float(size[1])), "metal", amount, 16.0, angle, ripple=ripple))
    return found
