"""Film cases: projected bodies with their points, as they lie in a pool on disk.

Belongs here: the case as a value, its file. Does not belong here: making one (film_pool), what the film looks like
(synthesis.exposure).

A case holds line integrals, not grey values: exposure is drawn anew each time a case is used. Positions are (row,
column) pixels, pixel centres at whole numbers; lateral cases have the patient's front to the left (column 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

SOFT_STEP_MM = 0.05
BONE_STEP_MM = 0.01
"""Line integrals are kept in whole steps of these, mm of water."""


@dataclass(frozen=True, eq=False)
class FilmCase:
    """One projection.

    name: pool-wide. source: whose body (a reading, a label map, a phantom). view: "lateral", "ap" or "other".
    soft, bone: (H, W) mm of water (`synthesis.projection`). pixel_mm: in the plane of the column.
    points: (V, 6, 2) (row, column) in KEYPOINTS order, superior to inferior; some may lie outside the film.
    levels: (V,) names, "" where not known. confidence: (V,) 0..1 of the points. lost: (V,) share of a height that a
    synthetic fracture took, NaN where the vertebra is as it was found. loss: (V,) raw loss 1 - min / max in 3D.
    known_rows: (2,) first and last row between which every vertebra in view has points; beyond, there may be others.
    sacrum: (2, 2) anterior and posterior corner of the S1 endplate, NaN where unknown.
    """

    name: str
    source: str
    view: str
    soft: Image
    bone: Image
    pixel_mm: float
    points: Image
    levels: tuple[str, ...]
    confidence: Image
    lost: Image
    loss: Image
    known_rows: tuple[float, float]
    sacrum: Image


def save_case(case: FilmCase, folder: Path) -> Path:
    """Keep a case as NAME.npz; the file appears whole or not at all."""
    path = folder / f"{case.name}.npz"
    draft = path.with_suffix(".part")
    with draft.open("wb") as stream:
        np.savez_compressed(
            stream,
            source=np.array(case.source),
            view=np.array(case.view),
            soft=np.rint(case.soft / SOFT_STEP_MM).astype(np.uint16),
            bone=np.rint(case.bone / BONE_STEP_MM).astype(np.uint16),
            pixel_mm=np.float64(case.pixel_mm),
            points=case.points.astype(np.float32),
            levels=np.array(case.levels, dtype="U4"),
            confidence=case.confidence.astype(np.float32),
            lost=case.lost.astype(np.float32),
            loss=case.loss.astype(np.float32),
            known_rows=np.array(case.known_rows, dtype=np.float32),
            sacrum=case.sacrum.astype(np.float32),
        )
    draft.replace(path)
    return path


def load_case(path: Path) -> FilmCase:
    """A case kept by `save_case`."""
    with np.load(path, allow_pickle=False) as kept:
        return FilmCase(
            name=path.stem,
            source=str(kept["source"]),
            view=str(kept["view"]),
            soft=kept["soft"].astype(np.float32) * np.float32(SOFT_STEP_MM),
            bone=kept["bone"].astype(np.float32) * np.float32(BONE_STEP_MM),
            pixel_mm=float(kept["pixel_mm"]),
            points=kept["points"],
            levels=tuple(str(v) for v in kept["levels"]),
            confidence=kept["confidence"],
            lost=kept["lost"],
            loss=kept["loss"],
            known_rows=(float(kept["known_rows"][0]), float(kept["known_rows"][1])),
            sacrum=kept["sacrum"],
        )
