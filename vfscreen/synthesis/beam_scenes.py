"""What stands in the beam besides the patient that was scanned: metal, arms, shoulders, gas, ribs, clothing.

Belongs here: drawing such objects around a column. Does not belong here: painting them (beam_objects).

A column is known by the (V, 6, 2) pixels of its vertebrae in KEYPOINTS order; without one, objects fall anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.synthesis.beam_objects import BeamObject, Blob, Rod

Float = NDArray[np.float64]


@dataclass(frozen=True)
class SceneRates:
    """Chances that a film shows each kind of object."""

    screws: float = 0.10
    cage: float = 0.05
    cement: float = 0.05
    arms: float = 0.22
    shoulder: float = 0.3
    gas: float = 0.35
    ribs: float = 0.25
    dome: float = 0.2
    breast: float = 0.12
    small_metal: float = 0.2
    wires: float = 0.12
    folds: float = 0.2


NO_OBJECTS = SceneRates(**dict.fromkeys(SceneRates.__dataclass_fields__, 0.0))


@dataclass(frozen=True, eq=False)
class _Column:
    """centres (V, 2), forward (V, 2) unit vectors to the front, up (V, 2), depth (V,), height (V,), px."""

    points: Float
    centres: Float
    forward: Float
    up: Float
    depth: Float
    height: Float


def draw_objects(
    rng: np.random.Generator,
    shape: tuple[int, int],
    pixel_mm: float,
    points_px: Float | None = None,
    rates: SceneRates | None = None,
) -> list[BeamObject]:
    """Objects for a film of `shape` (rows, columns). points_px: (V, 6, 2), superior to inferior, or None."""
    rates = rates or SceneRates()
    found: list[BeamObject] = []
    column = None if points_px is None or len(points_px) == 0 else _column(np.asarray(points_px, dtype=np.float64))
    mm = 1.0 / pixel_mm

    def happens(rate: float) -> bool:
        return bool(rng.random() < rate)

    for rate, draw in (
        (rates.shoulder, _shoulder),
        (rates.arms, _arms),
        (rates.ribs, _ribs),
        (rates.dome, _dome),
        (rates.breast, _breast),
        (rates.folds, _folds),
        (rates.gas, _gas),
        (rates.small_metal, _small_metal),
        (rates.wires, _wires),
    ):
        if happens(rate):
            found += draw(rng, shape, mm, column)
    if column is not None:
        for rate, fix in ((rates.screws, _screws), (rates.cage, _cages), (rates.cement, _cement)):
            if happens(rate):
                found += fix(rng, column, mm)
    return found


def _column(points: Float) -> _Column:
    front, back = points[:, 0:2].mean(axis=1), points[:, 4:6].mean(axis=1)
    top, bottom = points[:, 0::2].mean(axis=1), points[:, 1::2].mean(axis=1)
    depth = np.linalg.norm(front - back, axis=1)
    height = np.linalg.norm(top - bottom, axis=1)
    forward = (front - back) / np.maximum(depth, 1.0)[:, None]
    up = (top - bottom) / np.maximum(height, 1.0)[:, None]
    return _Column(points, points.mean(axis=1), forward, up, depth, height)


def _spot(rng: np.random.Generator, shape: tuple[int, int]) -> Float:
    return rng.uniform(-0.05, 1.05, 2) * shape


def _shoulder(rng: np.random.Generator, shape: tuple[int, int], mm: float, column: _Column | None) -> list[BeamObject]:
    """The shoulders' thick veil over the upper end of the column."""
    at = _spot(rng, shape) * [0.3, 1.0] if column is None else column.centres[0] + rng.normal(0, 25, 2) * mm
    return [
        Blob(
            np.asarray(at + np.array([rng.normal(0, 15), rng.normal(0, 20)]) * mm),
            (float(rng.uniform(60, 120) * mm), float(rng.uniform(70, 130) * mm)),
            "soft",
            1.0,
            float(rng.uniform(15, 120)),
            float(rng.normal(0, 0.5)),
            roundness=float(rng.uniform(0.8, 2.0)),
        )
        for _ in range(int(rng.integers(1, 3)))
    ]


def _arms(rng: np.random.Generator, shape: tuple[int, int], mm: float, column: _Column | None) -> list[BeamObject]:
    """Upper arms raised in front, at the side, or across the column: a soft rod around a hollow bone."""
    found: list[BeamObject] = []
    if column is None:
        at, forward, up = _spot(rng, shape), np.array([0.0, -1.0]), np.array([-1.0, 0.0])
    else:
        at, forward, up = column.centres[0], column.forward[len(column.forward) // 2], np.array([-1.0, 0.0])
    base = np.radians(rng.uniform(-75, 55))  # 0 straight forward, negative downwards
    for _ in range(int(rng.integers(1, 3))):
        turn = base + np.radians(rng.normal(0, 10))
        way = np.cos(turn) * forward + np.sin(turn) * up
        start = at + (rng.normal(0, 30) * up + rng.normal(10, 35) * forward) * mm
        bend = np.array([-way[1], way[0]]) * rng.normal(0, 12) * mm
        path = np.stack([start, start + way * 150 * mm + bend, start + way * 310 * mm])
        found.append(Rod(path, float(rng.uniform(32, 52) * mm), "soft", float(rng.uniform(0.7, 1.0))))
        outer = rng.uniform(9, 13)
        found.append(
            Rod(path, outer * mm, "bone", float(rng.uniform(0.5, 1.0)), float(outer * rng.uniform(0.5, 0.75) * mm))
        )
    return found


def _ribs(rng: np.random.Generator, shape: tuple[int, int], mm: float, column: _Column | None) -> list[BeamObject]:
    """Oblique bands of further ribs, as tilting or another body would throw over the column."""
    slope, gap = rng.uniform(0.15, 0.9) * rng.choice([-1.0, 1.0]), rng.uniform(18, 32) * mm
    first = rng.uniform(-0.3, 0.6) * shape[0]
    found: list[BeamObject] = []
    bow, outer = rng.normal(0, 0.12) * shape[1], rng.uniform(3.5, 6.5) * mm
    for n in range(int(rng.integers(3, 10))):
        columns = np.linspace(-0.1, 1.1, 7)
        rows = first + n * gap + (columns - 0.5) * slope * shape[1] + bow * (1 - (2 * columns - 1) ** 2)
        path = np.stack([rows + rng.normal(0, 1.5, 7) * mm, columns * shape[1]], axis=1)
        found.append(
            Rod(path, float(outer), "bone", float(rng.uniform(0.12, 0.5)), float(outer * rng.uniform(0.4, 0.85)))
        )
    return found


def _dome(rng: np.random.Generator, shape: tuple[int, int], mm: float, column: _Column | None) -> list[BeamObject]:
    """A second diaphragm: a sharp-edged dome of denser tissue below a curved border."""
    at = _spot(rng, shape)
    if column is not None:
        at = column.centres[int(rng.integers(len(column.centres)))] + column.forward[0] * rng.uniform(-20, 60) * mm
    radii = float(rng.uniform(110, 260) * mm), float(rng.uniform(70, 140) * mm)
    centre = at + np.array([radii[0] * 0.95, 0.0])
    return [Blob(centre, radii, "soft", 1.0, float(rng.uniform(15, 70)), float(rng.normal(0, 0.25)), 2.4, 0.5)]


def _breast(rng: np.random.Generator, shape: tuple[int, int], mm: float, column: _Column | None) -> list[BeamObject]:
    at = _spot(rng, shape)
    if column is not None:
        at = column.centres[len(column.centres) // 2] + column.forward[0] * rng.uniform(90, 180) * mm
    return [
        Blob(
            np.asarray(at + rng.normal(0, 12, 2) * mm),
            (float(rng.uniform(45, 80) * mm), float(rng.uniform(35, 70) * mm)),
            "soft",
            1.0,
            float(rng.uniform(20, 70)),
            float(rng.normal(0, 0.4)),
        )
        for _ in range(2)
    ]


def _folds(rng: np.random.Generator, shape: tuple[int, int], mm: float, column: _Column | None) -> list[BeamObject]:
    """Skin folds, clothing, bedding: thin curved bands."""
    found: list[BeamObject] = []
    for _ in range(int(rng.integers(1, 6))):
        start, way = _spot(rng, shape), rng.normal(0, 0.5, 2) * shape
        bend = rng.normal(0, 0.1, 2) * shape
        t = np.linspace(0, 1, 8)[:, None]
        path = start + way * t + bend * 4 * t * (1 - t)
        found.append(Rod(path, float(rng.uniform(1.0, 7.0) * mm), "soft", float(rng.uniform(0.3, 1.0))))
    return found


def _gas(rng: np.random.Generator, shape: tuple[int, int], mm: float, column: _Column | None) -> list[BeamObject]:
    """Bowel gas: clusters of irregular bubbles, mostly before the column, some across it."""
    found: list[BeamObject] = []
    for _ in range(int(rng.integers(1, 5))):
        at = _spot(rng, shape)
        if column is not None:
            v = int(rng.integers(len(column.centres) // 2, len(column.centres)))
            at = column.centres[v] + column.forward[v] * rng.uniform(-10, 110) * mm
        for _ in range(int(rng.integers(2, 9))):
            size = float(np.exp(rng.uniform(np.log(3), np.log(20))) * mm)
            ripple = tuple((float(rng.normal(0, 0.1)), float(rng.uniform(0, 6.3))) for _ in range(3))
            found.append(
                Blob(
                    np.asarray(at + rng.normal(0, 22, 2) * mm),
                    (size, size * float(rng.uniform(0.5, 1.0))),
                    "soft",
                    -1.0,
                    float(rng.uniform(0.6, 1.6) * size / mm),
                    float(rng.uniform(0, 3.1)),
                    ripple=ripple,
                )
            )
    return found


def _small_metal(
    rng: np.random.Generator, shape: tuple[int, int], mm: float, column: _Column | None
) -> list[BeamObject]:
    """Rings, clips, buttons, electrodes, pins."""
    found: list[BeamObject] = []
    at = _spot(rng, shape)
    kind = str(rng.choice(["rings", "clips", "buttons", "pin", "chain"]))
    for n in range(int(rng.integers(1, 8))):
        place = at + rng.normal(0, 35, 2) * mm
        amount = float(rng.uniform(0.1, 0.6))
        if kind in ("rings", "chain"):
            turn = np.linspace(0, 2 * np.pi, 14)
            radius = rng.uniform(3, 14) if kind == "rings" else 2.5
            place = place if kind == "rings" else at + np.array([n * 5.0, 0.4 * n * n]) * mm
            ring = np.stack([np.cos(turn), rng.uniform(0.4, 1) * np.sin(turn)], axis=1) * radius * mm
            found.append(Rod(place + ring, float(rng.uniform(0.6, 1.3) * mm), "metal", amount))
        elif kind == "buttons":
            size = float(rng.uniform(3, 8) * mm)
            found.append(Blob(place, (size, size), "metal", amount, 2.0, roundness=0.0))
        else:
            way = rng.normal(0, 1, 2)
            way *= rng.uniform(4, 8 if kind == "clips" else 40) * mm / np.linalg.norm(way)
            found.append(Rod(np.stack([place, place + way]), float(rng.uniform(0.5, 1.0) * mm), "metal", amount))
    return found


def _wires(rng: np.random.Generator, shape: tuple[int, int], mm: float, column: _Column | None) -> list[BeamObject]:
    """Leads, lines and straps that run through the film."""
    found: list[BeamObject] = []
    for _ in range(int(rng.integers(1, 4))):
        t = np.linspace(0, 1, 24)[:, None]
        path = _spot(rng, shape) + rng.normal(0, 0.8, 2) * shape * t
        path = path + sum(rng.normal(0, 18, 2) * mm * np.sin(np.pi * k * t + rng.uniform(0, 6)) for k in (1, 2, 3))
        found.append(Rod(path, float(rng.uniform(0.5, 1.6) * mm), "metal", float(rng.uniform(0.03, 0.3))))
    return found


def _run(rng: np.random.Generator, count: int, longest: int) -> range:
    length = int(rng.integers(2, max(min(longest, count), 2) + 1))
    first = int(rng.integers(0, max(count - length, 0) + 1))
    return range(first, min(first + length, count))


def _screws(rng: np.random.Generator, column: _Column, mm: float) -> list[BeamObject]:
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


def _cages(rng: np.random.Generator, column: _Column, mm: float) -> list[BeamObject]:
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


def _cement(rng: np.random.Generator, column: _Column, mm: float) -> list[BeamObject]:
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
