"""Slab cases: straightened spines with their six points, cut once from any source and kept for training.

Belongs here: the case's value, making one from a volume and points, its file. Does not belong here: where volumes come
from (readings, masks, phantoms), augmentation.

A case is finer and wider than the slab a network sees, so that perturbed centrelines, rotations and planes can be
sampled from it without the volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.curve import Centreline
from vfscreen.geometry.volume import Volume
from vfscreen.schema.names import LEVELS
from vfscreen.spine.straighten import SlabSpec, straighten
from vfscreen.training.readings import ReadVertebra

Float = NDArray[np.float64]

CASE_SPEC = SlabSpec(
    pixel_mm=0.5,
    anterior_mm=63.0,
    posterior_mm=63.0,
    margin_mm=45.0,
    plane_offsets_mm=tuple(float(v) for v in np.arange(-15.0, 15.1, 1.5)),
)
"""The grid of every case."""

UNREAD_GAP_MM = 3.0
"""Beyond the outermost read vertebrae only this much belongs to the part that is known."""


@dataclass(frozen=True, eq=False)
class SlabCase:
    """One straightened spine.

    hu: int16 (planes, rows, columns) on CASE_SPEC; inside: bool (rows, columns), voxels on the middle plane.
    points: (V, 6, 2) row and p in mm (row from the slab's top, p from the centreline, posterior positive).
    levels: (V,) index into LEVELS, -1 unknown. confidence: (V,). fractured: (V,) 0 or 1, -1 unknown.
    known_mm: rows between which every vertebra in view is read; elsewhere inside the volume nothing is said.
    """

    name: str
    hu: NDArray[np.int16]
    inside: NDArray[np.bool_]
    points: Float
    levels: NDArray[np.int64]
    confidence: Float
    fractured: NDArray[np.int64]
    known_mm: tuple[float, float]


def make_case(
    name: str,
    volume: Volume,
    centreline: Centreline,
    vertebrae: Sequence[ReadVertebra],
    known_above: bool,
    known_below: bool,
    fractured: Sequence[int],
) -> SlabCase:
    """Straighten a volume along its centreline and carry the points along.

    known_above, known_below: nothing that counts as a vertebra is unread beyond the first, beyond the last.
    fractured: per vertebra 1, 0 or -1 (unknown).
    """
    slab = straighten(volume, centreline, CASE_SPEC)
    rc = np.stack([slab.from_lps(v.keypoints_lps_mm) for v in vertebrae])
    points = np.stack(
        [rc[..., 0] * CASE_SPEC.pixel_mm, rc[..., 1] * CASE_SPEC.pixel_mm - CASE_SPEC.anterior_mm], axis=-1
    )
    order = np.argsort(points[..., 0].mean(axis=1))
    points = points[order]
    top = -np.inf if known_above else float(points[0, 0::2, 0].min()) - UNREAD_GAP_MM
    bottom = np.inf if known_below else float(points[-1, 1::2, 0].max()) + UNREAD_GAP_MM
    middle = CASE_SPEC.plane_offsets_mm.index(0.0)
    return SlabCase(
        name=name,
        hu=np.rint(np.clip(slab.hu, -1024, 3071)).astype(np.int16),
        inside=slab.inside[middle],
        points=points,
        levels=np.array(
            [_level_index(vertebrae[i].level if vertebrae[i].level_certain else None) for i in order], dtype=np.int64
        ),
        confidence=np.array([vertebrae[i].confidence for i in order]),
        fractured=np.array([fractured[i] for i in order], dtype=np.int64),
        known_mm=(top, bottom),
    )


def _level_index(level: str | None) -> int:
    return -1 if level is None else LEVELS.index(level)


def save_case(case: SlabCase, path: Path) -> None:
    np.savez(
        path,
        name=np.array(case.name),
        hu=case.hu,
        inside=case.inside,
        points=case.points,
        levels=case.levels,
        confidence=case.confidence,
        fractured=case.fractured,
        known_mm=np.array(case.known_mm),
    )


def load_case(path: Path) -> SlabCase:
    with np.load(path, allow_pickle=False) as data:
        return SlabCase(
            name=str(data["name"]),
            hu=data["hu"],
            inside=data["inside"],
            points=data["points"],
            levels=data["levels"],
            confidence=data["confidence"],
            fractured=data["fractured"],
            known_mm=(float(data["known_mm"][0]), float(data["known_mm"][1])),
        )
