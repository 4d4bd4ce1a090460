"""Six-point readings of vertebrae on CT: the JSON format a reader's work comes in.

Belongs here: a reading as arrays, its centreline. Does not belong here: the file's fields (schema.six_points), reading
pixels (ingest), slabs.

A reading `NAME_six_points.json` names its volume's points in LPS mm: `centreline_lps_mm` (rough) and `vertebrae`, each
with the six points of `schema.names.KEYPOINTS`, `level` (or null), `level_certain`, `confidence` 0..1 and, where known,
`published_genant_grade`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from vfscreen.geometry.curve import Centreline
from vfscreen.schema.names import KEYPOINTS
from vfscreen.schema.six_points import SixPointFile

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ReadVertebra:
    """One vertebra as read. keypoints_lps_mm: (6, 3) in the order of KEYPOINTS. confidence: the reader's, 0..1."""

    level: str | None
    level_certain: bool
    confidence: float
    keypoints_lps_mm: Float
    published_genant_grade: int | None = None

    @property
    def centre_lps_mm(self) -> Float:
        return np.asarray(self.keypoints_lps_mm.mean(axis=0))

    @property
    def heights_mm(self) -> Float:
        """(3,): anterior, middle, posterior."""
        return np.asarray(np.linalg.norm(self.keypoints_lps_mm[0::2] - self.keypoints_lps_mm[1::2], axis=1))


@dataclass(frozen=True, eq=False)
class Reading:
    """All vertebrae read on one volume, superior to inferior, and the rough centreline (M, 3) that came with them."""

    name: str
    rough_centreline_lps_mm: Float
    vertebrae: tuple[ReadVertebra, ...]

    def centreline(self) -> Centreline:
        """The rough centreline, moved onto the bodies' centres (means of six points) where those are read."""
        rough = self.rough_centreline_lps_mm[np.argsort(self.rough_centreline_lps_mm[:, 2])]
        centres = np.array([v.centre_lps_mm for v in self.vertebrae])
        centres = centres[np.argsort(centres[:, 2])]
        low, high = min(rough[0, 2], centres[0, 2]), max(rough[-1, 2], centres[-1, 2])
        z = np.arange(low, high + 1e-9, 2.0)
        moved = [
            np.interp(z, rough[:, 2], rough[:, a])
            + np.interp(z, centres[:, 2], centres[:, a] - np.interp(centres[:, 2], rough[:, 2], rough[:, a]))
            for a in (0, 1)
        ]
        return Centreline.fit(np.stack([*moved, z], axis=1), residual_mm=0.7)


def load_reading(path: Path) -> Reading:
    """Parse a reading. Raises ValueError naming the file and the field that is wrong."""
    try:
        entry = SixPointFile.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, ValidationError) as error:
        raise ValueError(f"{path.name} is not a six-point reading: {error}") from error
    vertebrae = [
        ReadVertebra(
            v.level,
            v.level_certain,
            v.confidence,
            np.array([getattr(v, name) for name in KEYPOINTS], dtype=np.float64),
            v.published_genant_grade,
        )
        for v in entry.vertebrae
    ]
    vertebrae.sort(key=lambda v: -float(v.centre_lps_mm[2]))
    return Reading(path.name.removesuffix("_six_points.json"), np.array(entry.centreline_lps_mm), tuple(vertebrae))
