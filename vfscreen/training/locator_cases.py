"""What the locator learns from: a coarse volume with what is known of its column along the body's axis.

Belongs here: a case's truth, cases from readings and from synthetic patients, keeping them in a folder. Does not belong
here: crops and augmentation (locator_data), the reading's format (readings), the patients (synthesis).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.curve import Centreline
from vfscreen.geometry.volume import Volume
from vfscreen.ingest.nifti import read_nifti
from vfscreen.models.ports import COLUMN_CLASSES
from vfscreen.synthesis.anatomy import draw_patient
from vfscreen.synthesis.phantom import body_centres, render
from vfscreen.training.readings import Reading, load_reading

Float = NDArray[np.float64]

TRACK_STEP_MM = 2.0
UNKNOWN = -1.0
"""Presence where nobody looked: the loss leaves those positions out."""

_BEYOND_MM = 1000.0
_FOOT_MM = 6.0
"""How far below the lowest vertebra's lower endplate the column still counts as present."""
_SACRUM_MM = 70.0
_PHANTOM_MM = 4.0


@dataclass(frozen=True, eq=False)
class ColumnTruth:
    """The column along z, from low to high, every TRACK_STEP_MM and beyond both ends of any volume.

    path_lps_mm: (N, 3). presence: (N,) 0, 1 or UNKNOWN. located: (N,) bool, is the path the bodies' centre there?
    levels: (N, len(COLUMN_CLASSES)) soft labels; a row of zeros is unknown.
    """

    path_lps_mm: Float
    presence: Float
    located: NDArray[np.bool_]
    levels: Float


@dataclass(frozen=True, eq=False)
class LocatorCase:
    name: str
    volume: Volume
    truth: ColumnTruth


def column_truth(
    centreline_lps_mm: Float,
    centres: list[tuple[str | None, Float]],
    sacrum_below_z_mm: float | None,
    known_up_to_z_mm: float,
) -> ColumnTruth:
    """Truth along z from what was read.

    centreline_lps_mm: (M, 3) through the bodies' centres; the column is present along it. centres: level (None where
    uncertain) and body centre. sacrum_below_z_mm: where the last vertebra ends on the sacrum, if it was
    seen to; below it the bodies' column is absent. known_up_to_z_mm: above it nobody looked.
    """
    line = centreline_lps_mm[np.argsort(centreline_lps_mm[:, 2])]
    z = np.arange(line[0, 2] - _BEYOND_MM, line[-1, 2] + _BEYOND_MM, TRACK_STEP_MM)
    path = np.column_stack([np.interp(z, line[:, 2], line[:, 0]), np.interp(z, line[:, 2], line[:, 1]), z])
    located = (z >= line[0, 2]) & (z <= min(line[-1, 2], known_up_to_z_mm))
    presence = np.where(located, 1.0, UNKNOWN)
    if sacrum_below_z_mm is not None:
        presence[z < sacrum_below_z_mm - _FOOT_MM] = 0.0
        located &= z >= sacrum_below_z_mm - _FOOT_MM
    return ColumnTruth(path, presence, located, _soft_levels(z, centres, sacrum_below_z_mm))


def _soft_levels(z: Float, centres: list[tuple[str | None, Float]], sacrum_below_z_mm: float | None) -> Float:
    """Labels between neighbouring centres shared by distance; half a vertebra beyond the outermost ones."""
    soft = np.zeros((len(z), len(COLUMN_CLASSES)))
    known = sorted(((float(c[2]), level) for level, c in centres if level is not None), key=lambda entry: entry[0])
    for (low, lower), (high, upper) in itertools.pairwise(known):
        between = (z >= low) & (z <= high)
        share = (z[between] - low) / (high - low)
        soft[between, COLUMN_CLASSES.index(lower)] += 1.0 - share
        soft[between, COLUMN_CLASSES.index(upper)] += share
    for (edge, level), sign in ((known[0], -1.0), (known[-1], 1.0)) if known else ():
        beyond = (sign * (z - edge) > 0) & (sign * (z - edge) <= 10.0)
        soft[beyond, COLUMN_CLASSES.index(level)] = 1.0
    if sacrum_below_z_mm is not None:
        below = (z < sacrum_below_z_mm - 10.0) & (z > sacrum_below_z_mm - _SACRUM_MM)
        soft[below] = 0.0
        soft[below, COLUMN_CLASSES.index("S")] = 1.0
    total = soft.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(soft, total, out=np.zeros_like(soft), where=total > 0))


def reading_truth(reading: Reading) -> ColumnTruth:
    """Truth of a read CT. A certain L5 read last says that the sacrum follows: readers read every whole vertebra."""
    line = reading.centreline().points_lps_mm
    last = reading.vertebrae[-1]
    foot = None
    if last.level in ("L5", "L6") and last.level_certain:
        foot = float(last.keypoints_lps_mm[1::2, 2].mean())
    centres = [(v.level if v.level_certain else None, v.centre_lps_mm) for v in reading.vertebrae]
    return column_truth(line, centres, foot, float(line[:, 2].max()))


def reading_case(volume_path: Path, reading_path: Path) -> LocatorCase:
    """A NIfTI volume with its six-point reading."""
    reading = load_reading(reading_path)
    return LocatorCase(reading.name, read_nifti(volume_path), reading_truth(reading))


def phantom_case(seed: int) -> LocatorCase:
    """Synthetic patient `seed` on a coarse grid, C3 to below the sacrum; the truth is exact."""
    rng = np.random.default_rng([91, seed])
    spec = draw_patient(rng, fracture_probability=0.3)
    centres = body_centres(spec)
    path = np.array(list(centres.values()))
    low = np.array([path[:, 0].mean() - 220.0, path[:, 1].mean() - 210.0, path[:, 2].min() - 220.0])
    high = np.array([path[:, 0].mean() + 220.0, path[:, 1].mean() + 150.0, path[:, 2].max() + 25.0])
    affine = np.diag([_PHANTOM_MM, _PHANTOM_MM, _PHANTOM_MM, 1.0])
    affine[:3, 3] = low
    columns, rows, slices = (int(n) for n in np.ceil((high - low) / _PHANTOM_MM))
    volume = render(spec, affine, (columns, rows, slices), rng, table=bool(rng.random() < 0.5))
    bodies = {level: c for level, c in centres.items() if level != "S"}
    order = sorted(bodies, key=lambda level: float(bodies[level][2]))
    foot = (float(bodies[order[0]][2]) + float(centres["S"][2])) / 2.0
    line = Centreline.fit(path, residual_mm=1.0).points_lps_mm
    return LocatorCase(
        f"phantom-{seed:04d}", volume, column_truth(line, list(bodies.items()), foot, float(line[:, 2].max()))
    )


def save_case(case: LocatorCase, folder: Path) -> Path:
    """Keep a case as NAME.npz."""
    path = folder / f"{case.name}.npz"
    t = case.truth
    np.savez_compressed(
        path,
        hu=case.volume.hu,
        affine_lps=case.volume.affine_lps,
        path_lps_mm=t.path_lps_mm,
        presence=t.presence,
        located=t.located,
        levels=t.levels,
    )
    return path


def load_case(path: Path) -> LocatorCase:
    """A case kept by `save_case`."""
    with np.load(path) as kept:
        truth = ColumnTruth(kept["path_lps_mm"], kept["presence"], kept["located"], kept["levels"])
        return LocatorCase(path.stem, Volume(kept["hu"], kept["affine_lps"]), truth)
