"""A film case whose bodies are bright boxes down a leaning line: what is where is known exactly."""

from __future__ import annotations

import numpy as np

from vfscreen.training.film_cases import FilmCase


def bar_case(name: str = "lateral-bars-0-000", bodies: int = 9, last: str = "L3") -> FilmCase:
    """Front to the left. Bodies are 30 px tall and 40 deep, 40 px apart; the picture is 460 x 260."""
    levels = ("T7", "T8", "T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")
    levels = levels[levels.index(last) + 1 - bodies : levels.index(last) + 1]
    rows, columns = np.indices((40 * bodies + 100, 260)).astype(np.float64)
    soft = np.full(rows.shape, 220.0, dtype=np.float32)
    bone = np.zeros(rows.shape, dtype=np.float32)
    points = []
    for n in range(bodies):
        row, column = 60.0 + 40.0 * n, 110.0 + 4.0 * n
        box = (np.abs(rows - row) <= 15) & (np.abs(columns - column) <= 20)
        shell = box & ((np.abs(rows - row) >= 13) | (np.abs(columns - column) >= 18))
        bone[box] = 12.0
        bone[shell] = 25.0
        points.append([(row + s * 15.5, column + a * 20.5) for a in (-1, 0, 1) for s in (-1, 1)])
    return FilmCase(
        name=name,
        source="bars",
        view="lateral",
        soft=soft,
        bone=bone,
        pixel_mm=0.7,
        points=np.array(points, dtype=np.float32),
        levels=levels,
        confidence=np.ones(bodies, dtype=np.float32),
        lost=np.full(bodies, np.nan, dtype=np.float32),
        loss=np.zeros(bodies, dtype=np.float32),
        known_rows=(40.0, 40.0 * bodies + 40.0),
        sacrum=np.full((2, 2), np.nan, dtype=np.float32),
    )
