"""How far do the findings of `vfscreen screen` agree with six-point readings?

    python benchmarks/readings_agreement.py --case CT READINGS.json [--case CT READINGS.json ...] [--json OUT.json]

CT is a DICOM folder or a NIfTI file, READINGS.json a reading in the same LPS frame: `vertebrae`, each with `level`,
`confidence` and six points in mm. Found and read vertebrae are matched one to one by their centres,
within 12 mm. Extra: found between the highest and lowest read vertebra (others are counted as beyond: a
reader leaves out what is cut). Points, heights and levels are compared on matched, graded vertebrae whose reading has a
confidence of at least 0.5.

--centreline-from-readings gives the detector the readings' own centreline, to tell its errors from the locator's.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from vfscreen.errors import ItemError
from vfscreen.geometry.matching import match_points
from vfscreen.geometry.volume import Volume
from vfscreen.ingest.single import read_single
from vfscreen.models.ports import LocatedColumn, ModelSet
from vfscreen.models.registry import load_models
from vfscreen.morphometry.genant import genant_grade, raw_height_loss
from vfscreen.morphometry.heights import body_heights_mm
from vfscreen.report.overlay import draw_overlay
from vfscreen.schema.names import KEYPOINTS
from vfscreen.screening.chain import screen_volume
from vfscreen.screening.result import ScreeningResult
from vfscreen.settings import AcceptSettings, Settings

CONFIDENCE_MIN = 0.5
ANY_ORIENTATION = Settings(accept=AcceptSettings(orientations=("axial", "coronal", "sagittal", "oblique")))


class ReadCentreline:
    """A locator that knows: the readings' body centres."""

    def __init__(self, points: np.ndarray) -> None:
        self._points = points

    def locate(self, volume: Volume) -> LocatedColumn:
        return LocatedColumn(self._points, np.ones(len(self._points)))


def compare(result: ScreeningResult, reading: dict[str, Any]) -> dict[str, Any]:
    """Counts and lists of differences of one case."""
    truth = reading["vertebrae"]
    points = np.array([[v[k] for k in KEYPOINTS] for v in truth], dtype=float)
    centres = points.mean(axis=1)
    found = np.array([v.centre_lps_mm for v in result.vertebrae])
    pairs = sorted(match_points(centres, found).items())
    matched = {f for _, f in pairs}
    z = centres[:, 2]
    extra = [f for f in range(len(found)) if f not in matched]
    between = [f for f in extra if z.min() < found[f, 2] < z.max()]
    out: dict[str, Any] = {
        "read": len(truth),
        "matched": len(pairs),
        "missed": [truth[t]["level"] for t in range(len(truth)) if t not in {p[0] for p in pairs}],
        "extra": len(between),
        "beyond": len(extra) - len(between),
        "truncated": sum(v.truncated for v in result.vertebrae),
        "levels_compared": 0,
        "levels_right": 0,
        "levels_certain": 0,
        "levels_certain_wrong": 0,
        "point_mm": [],
        "height_error_percent": [],
        "grades": [],
    }
    for t, f in pairs:
        vertebra, sure = result.vertebrae[f], truth[t]["confidence"] >= CONFIDENCE_MIN
        right = vertebra.vertebra_level == truth[t]["level"]
        out["levels_compared"] += 1
        out["levels_right"] += right
        out["levels_certain"] += vertebra.level_certain
        out["levels_certain_wrong"] += vertebra.level_certain and not right
        if vertebra.keypoints_lps_mm is None or vertebra.heights_mm is None or not sure:
            continue
        heights = body_heights_mm(points[t])
        out["point_mm"] += np.linalg.norm(vertebra.keypoints_lps_mm - points[t], axis=1).tolist()
        out["height_error_percent"] += (100 * (vertebra.heights_mm / heights - 1)).tolist()
        out["grades"].append(
            [
                truth[t]["level"],
                int(genant_grade(raw_height_loss(heights))),
                vertebra.genant_grade_raw,
                vertebra.genant_grade,
            ]
        )
    return out


def show(name: str, r: dict[str, Any]) -> None:
    point, height = np.array(r["point_mm"]), np.array(r["height_error_percent"])
    measured = (
        f"point median {np.median(point):.2f} p95 {np.percentile(point, 95):.2f} mm, "
        f"height error mean {height.mean():+.1f} abs {np.abs(height).mean():.1f} %"
        if point.size
        else "nothing to compare"
    )
    flagged = [g for g in r["grades"] if max(g[1:]) > 0]
    print(
        f"{name:16s} {r['matched']}/{r['read']} matched, missed {r['missed']}, extra {r['extra']}, "
        f"beyond {r['beyond']}, truncated {r['truncated']}; levels {r['levels_right']}/{r['levels_compared']} "
        f"(certain {r['levels_certain']}, of them wrong {r['levels_certain_wrong']}); {measured}; "
        f"[level, grade read raw, found raw, found] {flagged}; {r['seconds']:.1f} s"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs=2, type=Path, action="append", required=True, metavar=("CT", "READINGS"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--overlays", type=Path, help="folder for the pictures")
    parser.add_argument("--centreline-from-readings", action="store_true")
    arguments = parser.parse_args()
    models = None if arguments.centreline_from_readings else load_models()
    report = {}
    for ct, readings in arguments.case:
        reading = json.loads(readings.read_text())
        case_models = models or _detector_only(np.array(reading["centreline_lps_mm"]))
        started = time.monotonic()
        try:
            volume = read_single(ct, ANY_ORIENTATION).volume
            result = screen_volume(volume, case_models, ANY_ORIENTATION.screening)
        except ItemError as error:
            report[readings.stem] = {"error": str(error)}
            print(f"{readings.stem}: {error}")
            continue
        name = readings.stem.removesuffix("_six_points")
        report[name] = compare(result, reading) | {"seconds": time.monotonic() - started}
        show(name, report[name])
        if arguments.overlays:
            arguments.overlays.mkdir(parents=True, exist_ok=True)
            (arguments.overlays / f"{name}.png").write_bytes(draw_overlay(result, name))
    whole = [r for r in report.values() if "error" not in r]
    if len(whole) > 1:
        total: dict[str, Any] = {key: sum((r[key] for r in whole[1:]), whole[0][key]) for key in whole[0]}
        show("all", total)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2))
    return 0 if len(whole) == len(arguments.case) else 1


def _detector_only(points: np.ndarray) -> ModelSet:
    from vfscreen.models.registry import release_cards
    from vfscreen.models.vertebra import load_vertebra_detector

    detector = load_vertebra_detector(release_cards()["vertebra"])
    return ModelSet("detector only", ReadCentreline(points), detector)


if __name__ == "__main__":
    sys.exit(main())
