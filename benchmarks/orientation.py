"""Do copies of one CT that store the same patient in another way give the same findings?

    python benchmarks/orientation.py CT [CT ...]        each a DICOM folder or a NIfTI file

For each CT: the stack reversed, rows reversed, columns reversed, slices stored as sagittal and as coronal (the affine
says so each time), and one anatomical mirror image (left and right exchanged, findings mirrored back).

Prints, per copy, the vertebrae matched to those of the CT as it is, differences of level and grade, and the largest and
95th percentile distance of key points, the largest difference of trabecular HU, and the contrast phase. Target: the
same vertebrae, levels, grades and phase, within 0.5 mm and 1 HU.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vfscreen.geometry.volume import Volume
from vfscreen.ingest.single import read_single
from vfscreen.models.registry import load_models
from vfscreen.screening.chain import screen_volume
from vfscreen.screening.result import ScreeningResult, Vertebra
from vfscreen.settings import ScreeningSettings

MATCH_MM = 8.0


def copies(volume: Volume) -> Iterator[tuple[str, Volume, np.ndarray]]:
    """(name, the copy, 4x4 map of its positions back to the original's)."""
    same = np.eye(4)
    for name, axis in (("slices reversed", 0), ("rows reversed", 1), ("columns reversed", 2)):
        yield name, reversed_along(volume, axis), same
    yield "stored as sagittal", reordered(volume, (2, 0, 1)), same
    yield "stored as coronal", reordered(volume, (1, 0, 2)), same
    middle = float(np.mean([b[0] for b in volume.bounds_lps_mm]))
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirror[0, 3] = 2 * middle
    yield "mirror image", Volume(volume.hu, mirror @ volume.affine_lps), mirror


def reversed_along(volume: Volume, axis: int) -> Volume:
    """The array reversed along an axis (0 slices, 1 rows, 2 columns) with the affine that keeps the patient."""
    column = 2 - axis
    affine = volume.affine_lps.copy()
    affine[:3, 3] += affine[:3, column] * (volume.hu.shape[axis] - 1)
    affine[:3, column] *= -1
    return Volume(np.ascontiguousarray(np.flip(volume.hu, axis)), affine)


def reordered(volume: Volume, axes: tuple[int, int, int]) -> Volume:
    """The array with its axes in another order and the affine that keeps the patient."""
    affine = volume.affine_lps.copy()
    affine[:, :3] = volume.affine_lps[:, [2 - axes[2], 2 - axes[1], 2 - axes[0]]]
    return Volume(np.ascontiguousarray(volume.hu.transpose(axes)), affine)


def compare(reference: ScreeningResult, other: ScreeningResult, back: np.ndarray) -> str:
    def moved(points: np.ndarray) -> np.ndarray:
        return np.asarray(points @ back[:3, :3].T + back[:3, 3])

    rest: list[Vertebra] = list(other.vertebrae)
    distances: list[float] = []
    density = [0.0]
    matched = levels = grades = truncations = 0
    for vertebra in reference.vertebrae:
        twin = min(rest, key=lambda v: np.linalg.norm(moved(v.centre_lps_mm) - vertebra.centre_lps_mm), default=None)
        if twin is None or np.linalg.norm(moved(twin.centre_lps_mm) - vertebra.centre_lps_mm) > MATCH_MM:
            continue
        rest.remove(twin)
        matched += 1
        levels += twin.vertebra_level != vertebra.vertebra_level
        grades += twin.genant_grade != vertebra.genant_grade
        truncations += twin.truncated != vertebra.truncated
        here, there = vertebra.density.trabecular_hu_mean, twin.density.trabecular_hu_mean
        density.append(np.inf if (here is None) != (there is None) else abs((here or 0.0) - (there or 0.0)))
        if twin.keypoints_lps_mm is not None and vertebra.keypoints_lps_mm is not None:
            distances += list(np.linalg.norm(moved(twin.keypoints_lps_mm) - vertebra.keypoints_lps_mm, axis=1))
    largest, p95 = (np.max(distances), np.percentile(distances, 95)) if distances else (np.nan, np.nan)
    found = f"{matched}/{len(reference.vertebrae)} vertebrae, {len(rest)} extra"
    others = f"other level {levels}, other grade {grades}, other truncation {truncations}"
    same_phase = reference.density.contrast_phase is other.density.contrast_phase
    hu = f"density max {max(density):.2f} HU, {'same' if same_phase else 'OTHER'} phase"
    return f"{found}; {others}; key points p95 {p95:.2f} mm, max {largest:.2f} mm (n={len(distances)}); {hu}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ct", nargs="+", type=Path)
    arguments = parser.parse_args()
    settings = ScreeningSettings()
    models = load_models(screening=settings)
    for path in arguments.ct:
        volume = read_single(path).volume
        reference = screen_volume(volume, models, settings)
        print(f"{path.name}: {len(reference.vertebrae)} vertebrae")
        for name, copy, back in copies(volume):
            print(f"  {name:<20} {compare(reference, screen_volume(copy, models, settings), back)}")


if __name__ == "__main__":
    main()
