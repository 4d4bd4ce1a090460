"""How well is trabecular attenuation measured: against known values, between sets of points, between neighbours?

    python benchmarks/density_agreement.py phantoms [--patients 6]
    python benchmarks/density_agreement.py real --case CT READINGS.json [--case ...] [--overlays FOLDER]
    python benchmarks/density_agreement.py speed --case CT READINGS.json

phantoms: synthetic patients whose spongy bone is known by level, rendered with noise of 15 HU at 1, 2.5 and 5 mm, with
a tilted gantry and a patient lying askew; true points. Error: measured less true, HU.

real: each vertebra is measured twice, on a reader's points (READINGS.json: `vertebrae`, each with `level` and six
points in LPS mm) and on those of the whole chain; matched by their centres. Neighbours: the difference of two adjacent
levels of one patient, on the reader's points, which bounds the repeatability of one measurement from above. Intervals
are drawn over patients, 2,000 times.

speed: processor time of the density of a column, the vertebrae repeated up to 17.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from vfscreen.density.acquisition import Acquisition
from vfscreen.density.measure import Body, measure_density
from vfscreen.density.result import VertebraDensity
from vfscreen.geometry.matching import match_points
from vfscreen.geometry.volume import Volume
from vfscreen.ingest.single import read_single
from vfscreen.models.registry import load_models
from vfscreen.report.overlay import draw_overlay
from vfscreen.schema.names import KEYPOINTS, LEVELS, DensityReason
from vfscreen.screening.chain import screen_volume
from vfscreen.settings import AcceptSettings, Settings
from vfscreen.settings_density import DensitySettings
from vfscreen.synthesis.anatomy import PatientSpec, draw_patient, vertebra_truth
from vfscreen.synthesis.phantom import Scene, body_centres

ANY_ORIENTATION = Settings(accept=AcceptSettings(orientations=("axial", "coronal", "sagittal", "oblique")))
SCANS = {
    "1 mm": (1.0, 0.0, None),
    "2.5 mm": (2.5, 0.0, None),
    "5 mm": (5.0, 0.0, None),
    "2.5 mm, gantry 15 deg": (2.5, 15.0, None),
    "2 mm, patient turned 8, 6, 10 deg": (2.0, 0.0, (8.0, 6.0, 10.0)),
}
NOISE_HU = 15.0
OF_THE_HEADER = {DensityReason.KVP_MISSING, DensityReason.KVP_UNKNOWN, DensityReason.CONTRAST_UNKNOWN}
PIXEL_MM = 0.8


def phantoms(patients: int) -> int:
    print(f"{'scan':36s} vertebrae  bias (95 % CI)        sd    largest")
    for name, (slice_mm, tilt_deg, turn_deg) in SCANS.items():
        errors = []
        for seed in range(patients):
            spec = replace(draw_patient(np.random.default_rng(seed), [], variant="none"), noise_hu=NOISE_HU)
            volume = Scene.of(spec).render(
                *_stack(spec, slice_mm, tilt_deg, turn_deg), np.random.default_rng(seed), table=False
            )
            bodies = [
                Body(t.level, t.keypoints_lps_mm, 0)
                for t in vertebra_truth(spec)
                if volume.contains(t.keypoints_lps_mm, 1.0).all()
            ]
            _, densities = measure_density(volume, bodies, Acquisition(kvp_kV=120.0), DensitySettings())
            errors.append(
                [
                    d.trabecular_hu_mean - spec.spongy_hu(str(b.vertebra_level))
                    for b, d in zip(bodies, densities, strict=True)
                    if d.trabecular_hu_mean is not None
                ]
            )
        low, high = _interval(errors, np.mean)
        every = np.concatenate(errors)
        print(
            f"{name:36s} {every.size:9d}  {every.mean():+.2f} ({low:+.2f} to {high:+.2f})  "
            f"{every.std(ddof=1):.2f}  {np.abs(every).max():.2f}"
        )
    return 0


def _stack(
    spec: PatientSpec, slice_mm: float, tilt_deg: float, turn_deg: tuple[float, float, float] | None
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """T4-L5 on a grid 170 mm wide."""
    centres = body_centres(spec)
    middle = 0.5 * (centres["T4"] + centres["L5"])
    axes = np.eye(3)
    axes[:, 1] = [0.0, np.cos(np.radians(tilt_deg)), np.sin(np.radians(tilt_deg))]
    if turn_deg is not None:
        axes = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix() @ axes
    size = np.array([170.0, 170.0, centres["T4"][2] - centres["L5"][2] + 45.0])
    spacing = np.array([PIXEL_MM, PIXEL_MM, slice_mm])
    count = np.ceil(size / spacing).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = middle - affine[:3, :3] @ ((count - 1) / 2.0)
    return affine, (int(count[0]), int(count[1]), int(count[2]))


def real(cases: Sequence[tuple[Path, Path]], overlays: Path | None) -> int:
    models = load_models(screening=ANY_ORIENTATION.screening)
    points, neighbours = [], []
    for ct, readings in cases:
        series = read_single(ct, ANY_ORIENTATION)
        acquisition = Acquisition.from_header(series.header)
        bodies = _read_bodies(readings)
        summary, read = measure_density(series.volume, bodies, acquisition, DensitySettings())
        result = screen_volume(series.volume, models, ANY_ORIENTATION.screening, acquisition=acquisition)
        name = readings.stem.removesuffix("_six_points")
        by_level = {str(b.vertebra_level): d for b, d in zip(bodies, read, strict=True)}
        sound = {k: d.trabecular_hu_mean for k, d in by_level.items() if d.trabecular_hu_mean is not None}
        print(
            f"{name}: {summary.contrast_phase} ({summary.contrast_phase_probability or 0:.2f}), "
            f"{summary.reference_levels} {summary.reference_hu or float('nan'):.0f} HU"
        )
        print("   ", "  ".join(f"{k} {hu:.0f}±{by_level[k].trabecular_hu_sd:.0f}" for k, hu in sound.items()))
        pairs = match_points(
            [b.keypoints_lps_mm.mean(axis=0) for b in bodies if b.keypoints_lps_mm is not None],
            [v.centre_lps_mm for v in result.vertebrae],
        )
        points.append(
            [
                (found.trabecular_hu_mean - read[n].trabecular_hu_mean, _counts(read[n]) and _counts(found))
                for n, m in pairs.items()
                for found in [result.vertebrae[m].density]
                if read[n].trabecular_hu_mean is not None and found.trabecular_hu_mean is not None
            ]
        )
        neighbours.append(
            [
                (sound[b] - sound[a], _counts(by_level[a]) and _counts(by_level[b]))
                for a, b in pairwise(LEVELS)
                if a in sound and b in sound
            ]
        )
        if overlays:
            overlays.mkdir(parents=True, exist_ok=True)
            (overlays / f"{name}.png").write_bytes(draw_overlay(result, name))
    for title, differences in (("chain less reader's points", points), ("next level less this one", neighbours)):
        _print_differences(f"{title}, all", [[d for d, _ in found] for found in differences])
        _print_differences(f"{title}, nothing against either", [[d for d, counts in f if counts] for f in differences])
    return 0


def _counts(density: VertebraDensity) -> bool:
    """Nothing speaks against the vertebra; what the header lacks is no matter here."""
    return not set(density.reasons) - OF_THE_HEADER


def _print_differences(title: str, differences: Sequence[Sequence[float]]) -> None:
    every = np.concatenate(differences)
    low, high = _interval(differences, np.mean)
    wide = _interval(differences, lambda d: float(np.median(np.abs(d))))
    mean, sd = float(every.mean()), float(every.std(ddof=1))
    print(
        f"{title}: n={every.size} of {sum(bool(len(d)) for d in differences)} patients, "
        f"mean {mean:+.1f} ({low:+.1f} to {high:+.1f}), sd {sd:.1f}, "
        f"limits of agreement {mean - 1.96 * sd:+.1f} to {mean + 1.96 * sd:+.1f}, "
        f"median absolute {np.median(np.abs(every)):.1f} ({wide[0]:.1f} to {wide[1]:.1f})"
    )


def speed(cases: Sequence[tuple[Path, Path]]) -> int:
    for ct, readings in cases:
        volume: Volume = read_single(ct, ANY_ORIENTATION).volume
        bodies = _read_bodies(readings)
        column = (bodies * 17)[:17]
        seconds = []
        for _ in range(9):
            started = time.process_time()
            measure_density(volume, column, Acquisition(kvp_kV=120.0), DensitySettings())
            seconds.append(time.process_time() - started)
        print(f"{ct.name} {volume.hu.shape}: 17 vertebrae in {1000 * np.median(seconds):.0f} ms (median of 9)")
    return 0


def _read_bodies(readings: Path) -> list[Body]:
    return [
        Body(v["level"], np.array([v[k] for k in KEYPOINTS], dtype=float), 0)
        for v in json.loads(readings.read_text())["vertebrae"]
    ]


def _interval(groups: Sequence[Sequence[float]], statistic: Callable[[np.ndarray], float]) -> tuple[float, float]:
    """95 % percentile interval, groups (patients) drawn with replacement."""
    rng = np.random.default_rng(0)
    drawn = [
        statistic(np.concatenate([groups[n] for n in rng.integers(len(groups), size=len(groups))])) for _ in range(2000)
    ]
    return float(np.percentile(drawn, 2.5)), float(np.percentile(drawn, 97.5))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("phantoms", "real", "speed"))
    parser.add_argument("--patients", type=int, default=6)
    parser.add_argument("--case", nargs=2, type=Path, action="append", default=[], metavar=("CT", "READINGS"))
    parser.add_argument("--overlays", type=Path, help="folder for the pictures")
    arguments = parser.parse_args()
    if arguments.what == "phantoms":
        return phantoms(arguments.patients)
    if not arguments.case:
        parser.error("--case is needed")
    return real(arguments.case, arguments.overlays) if arguments.what == "real" else speed(arguments.case)


if __name__ == "__main__":
    sys.exit(main())
