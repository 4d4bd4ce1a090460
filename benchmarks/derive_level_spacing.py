"""Derive vfscreen/spine/level_spacing.yaml from vertebra centroids with levels (VID).

    python benchmarks/derive_level_spacing.py levels_vid.csv.gz > vfscreen/spine/level_spacing.yaml

The table has a row a centroid: case, split, level, x_mm, y_mm, z_mm, kind; rows of kind `body` enter. Distances
between the bodies of neighbouring levels are split into a level's typical distance and a patient's size (both in log
space, alternating medians, so that mislabelled cases do not pull).
"""

from __future__ import annotations

import csv
import gzip
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import yaml

from vfscreen.schema.names import LEVELS

ORDER = tuple(level for level in LEVELS if level != "T13")


def read(path: Path) -> list[tuple[int, int, float]]:
    """(case, index of the upper level, distance in mm) of every pair of neighbouring bodies."""
    bodies: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    with gzip.open(path, "rt", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["kind"] == "body":
                bodies[row["case"]][row["level"]] = np.array([float(row[f"{a}_mm"]) for a in "xyz"])
    pairs = []
    for case, levels in enumerate(bodies.values()):
        for i, (upper, lower) in enumerate(pairwise(ORDER)):
            if upper in levels and lower in levels:
                pairs.append((case, i, float(np.linalg.norm(levels[upper] - levels[lower]))))
    return pairs


def main(path: str) -> int:
    pairs = read(Path(path))
    case, index = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    log_distance = np.log([p[2] for p in pairs])
    typical, size = np.zeros(len(ORDER) - 1), np.zeros(case.max() + 1)
    present = np.unique(index)
    for _ in range(20):
        for i in present:
            typical[i] = np.median((log_distance - size[case])[index == i])
        for c in np.unique(case):
            size[c] = np.median((log_distance - typical[index])[case == c])
        size -= np.median(size)
    residual = log_distance - typical[index] - size[case]
    several = np.bincount(case, minlength=len(size)) >= 5
    sd = 1.4826 * np.median(np.abs(residual[several[case]]))
    content = {
        "spacing_mm": {f"{ORDER[i]}-{ORDER[i + 1]}": round(float(np.exp(typical[i])), 2) for i in present},
        "pairs": {f"{ORDER[i]}-{ORDER[i + 1]}": int((index == i).sum()) for i in present},
        "patient_size_log_sd": round(float(1.4826 * np.median(np.abs(size[several]))), 4),
        "residual_log_sd": round(float(sd), 4),
        "share_beyond_4_sd": round(float(np.mean(np.abs(residual[several[case]]) > 4 * sd)), 4),
        "cases": int(several.sum()),
    }
    sys.stdout.write(yaml.safe_dump(content, sort_keys=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
