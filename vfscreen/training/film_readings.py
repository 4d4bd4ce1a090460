"""Corner readings of lateral films: the JSON a reader's work comes in.

Belongs here: a film's corners as arrays. Does not belong here: pixels (ingest.pictures), comparing (film_evaluate).

`corners.json` lists films, each {film, width, height, points_xy_px}: keys are level + T or B (superior, inferior
endplate) + B or F (posterior, anterior corner), values [x, y] in the film's own pixels. Cervical bodies and the sacrum
may be among them; a vertebra of which a corner is missing is in view but not whole.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from vfscreen.schema.names import LEVELS

Float = NDArray[np.float64]

CORNERS = ("TF", "BF", "TB", "BB")
"""Anterior superior, anterior inferior, posterior superior, posterior inferior: the order of every (4, 2) array."""
KEYPOINT_OF_CORNER = (0, 1, 4, 5)
"""Their places in schema.names.KEYPOINTS."""
_KEY = re.compile(r"^([A-Z]\d+)([TB][BF])$")


@dataclass(frozen=True, eq=False)
class ReadBody:
    """level: a name of LEVELS, or "S1". corners_px: (4, 2) row, column in the order of CORNERS, NaN where not read."""

    level: str
    corners_px: Float

    @property
    def whole(self) -> bool:
        return bool(np.isfinite(self.corners_px).all())

    @property
    def heights_px(self) -> Float:
        """(2,): anterior, posterior."""
        return np.asarray(np.linalg.norm(self.corners_px[0::2] - self.corners_px[1::2], axis=1))


@dataclass(frozen=True)
class FilmReading:
    """One film as read; bodies superior to inferior."""

    film: str
    width: int
    height: int
    bodies: tuple[ReadBody, ...]


class _Film(BaseModel):
    model_config = ConfigDict(extra="ignore")

    film: str
    width: int
    height: int
    points_xy_px: dict[str, tuple[float, float]]


def load_film_readings(path: Path) -> list[FilmReading]:
    """All films of a `corners.json`. Raises ValueError naming the file and what is wrong with it."""
    try:
        films = TypeAdapter(list[_Film]).validate_python(json.loads(path.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, ValidationError) as error:
        raise ValueError(f"{path.name} is not a list of corner readings: {error}") from error
    return [FilmReading(f.film, f.width, f.height, _bodies(f.points_xy_px, path)) for f in films]


def _bodies(points: dict[str, tuple[float, float]], path: Path) -> tuple[ReadBody, ...]:
    found: dict[str, Float] = {}
    for key, (x, y) in points.items():
        match = _KEY.match(key)
        if match is None or (match[1] not in LEVELS and match[1] != "S1"):
            raise ValueError(f"{path.name}: {key!r} is not a level and a corner")
        found.setdefault(match[1], np.full((4, 2), np.nan))[CORNERS.index(match[2])] = y, x
    bodies = [ReadBody(level, corners) for level, corners in found.items()]
    return tuple(sorted(bodies, key=lambda b: float(np.nanmean(b.corners_px[:, 0]))))
