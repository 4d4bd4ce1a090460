"""What stands in the beam besides the patient that was scanned: arms, shoulders, gas, ribs, clothing, metal.

Belongs here: drawing such objects around a column. Does not belong here: what is fixed to it (implants), painting
(beam_objects).

A column is known by the (V, 6, 2) pixels of its vertebrae in KEYPOINTS order; without one, objects fall anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.synthesis.beam_objects import BeamObject, Blob, Rod
from vfscreen.synthesis.implants import FilmColumn, cages, cement, film_column, screws

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
    ribs: float = 0.35
    dome: float = 0.2
    breast: float = 0.12
    small_metal: float = 0.2
    wires: float = 0.12
    folds: float = 0.2


NO_OBJECTS = SceneRates(**dict.fromkeys(SceneRates.__dataclass_fields__, 0.0))


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
    column = None if points_px is None or len(points_px) == 0 else film_column(np.asarray(points_px, dtype=np.float64))
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
        for rate, fix in ((rates.screws, screws), (rates.cage, cages), (rates.cement, cement)):
            if happens(rate):
                found += fix(rng, column, mm)
    return found


def _spot(rng: np.random.Generator, shape: tuple[int, int]) -> Float:
    return rng.uniform(-0.05, 1.05, 2) * shape


def _shoulder(
    rng: np.random.Generator, shape: tuple[int, int], mm: float, column: FilmColumn | None
) -> list[BeamObject]:
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


def _arms(rng: np.random.Generator, shape: tuple[int, int], mm: float, column: FilmColumn | None) -> list[BeamObject]:
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


def _ribs(rng: np.random.Generator, shape: tuple[int, int], mm: float, column: FilmColumn | None) -> list[BeamObject]:
    """Oblique bands of further ribs, as tilting or another body would throw over the column."""
    slope, gap = rng.uniform(0.15, 0.9) * rng.choice([-1.0, 1.0]), rng.uniform(18, 32) * mm
    first = rng.uniform(-0.3, 0.6) * shape[0]
    found: list[BeamObject] = []
    bow, outer = rng.normal(0, 0.12) * shape[1], rng.uniform(2.5, 6.5) * mm
    for n in range(int(rng.integers(3, 10))):
        columns = np.linspace(-0.1, 1.1, 7)
        rows = first + n * gap + (columns - 0.5) * slope * shape[1] + bow * (1 - (2 * columns - 1) ** 2)
        path = np.stack([rows + rng.normal(0, 1.5, 7) * mm, columns * shape[1]], axis=1)
        found.append(
            Rod(path, float(outer), "bone", float(rng.uniform(0.12, 0.5)), float(outer * rng.uniform(0.4, 0.85)))
        )
    return found


def _dome(rng: np.random.Generator, shape: tuple[int, int], mm: float, column: FilmColumn | None) -> list[BeamObject]:
    """A second diaphragm: a sharp-edged dome of denser tissue below a curved border."""
    at = _spot(rng, shape)
    if column is not None:
        at = column.centres[int(rng.integers(len(column.centres)))] + column.forward[0] * rng.uniform(-20, 60) * mm
    radii = float(rng.uniform(110, 260) * mm), float(rng.uniform(70, 140) * mm)
    centre = at + np.array([radii[0] * 0.95, 0.0])
    return [Blob(centre, radii, "soft", 1.0, float(rng.uniform(15, 70)), float(rng.normal(0, 0.25)), 2.4, 0.5)]


def _breast(rng: np.random.Generator, shape: tuple[int, int], mm: float, column: FilmColumn | None) -> list[BeamObject]:
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


def _folds(rng: np.random.Generator, shape: tuple[int, int], mm: float, column: FilmColumn | None) -> list[BeamObject]:
    """Skin folds, clothing, bedding: thin curved bands."""
    found: list[BeamObject] = []
    for _ in range(int(rng.integers(1, 6))):
        start, way = _spot(rng, shape), rng.normal(0, 0.5, 2) * shape
        bend = rng.normal(0, 0.1, 2) * shape
        t = np.linspace(0, 1, 8)[:, None]
        path = start + way * t + bend * 4 * t * (1 - t)
        found.append(Rod(path, float(rng.uniform(1.0, 7.0) * mm), "soft", float(rng.uniform(0.3, 1.0))))
    return found


def _gas(rng: np.random.Generator, shape: tuple[int, int], mm: float, column: FilmColumn | None) -> list[BeamObject]:
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
    rng: np.random.Generator, shape: tuple[int, int], mm: float, column: FilmColumn | None
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


def _wires(rng: np.random.Generator, shape: tuple[int, int], mm: float, column: FilmColumn | None) -> list[BeamObject]:
    """Leads, lines and straps that run through the film."""
    found: list[BeamObject] = []
    for _ in range(int(rng.integers(1, 4))):
        t = np.linspace(0, 1, 24)[:, None]
        path = _spot(rng, shape) + rng.normal(0, 0.8, 2) * shape * t
        path = path + sum(rng.normal(0, 18, 2) * mm * np.sin(np.pi * k * t + rng.uniform(0, 6)) for k in (1, 2, 3))
        found.append(Rod(path, float(rng.uniform(0.5, 1.6) * mm), "metal", float(rng.uniform(0.03, 0.3))))
    return found
