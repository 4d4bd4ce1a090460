"""Derive vfscreen/morphometry/normal_shapes.yaml from a folder of six-point readings.

    python benchmarks/derive_normal_shapes.py READINGS --use NAME [--use NAME ...] >
    vfscreen/morphometry/normal_shapes.yaml

READINGS holds `<name>_six_points.json` files: `vertebrae`, each with `level`, `confidence` and six points in LPS mm.
Only readings named by --use enter (unfractured, and licensed for derived statistics), with a confidence of at
least 0.5 and weighted by it. Per level: anterior/posterior and middle/posterior ratio and posterior height
relative to T12, smoothed over neighbouring levels (Gaussian kernel of one level in log space), because a level has few
readings. L5 is not smoothed: it is shaped like no other.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import yaml

from vfscreen.morphometry.heights import body_heights_mm
from vfscreen.schema.names import KEYPOINTS

LEVELS = (*(f"T{n}" for n in range(1, 13)), *(f"L{n}" for n in range(1, 6)))
KERNEL_LEVELS = 1.0
CONFIDENCE_MIN = 0.5


def read(folder: Path, names: list[str]) -> list[tuple[int, int, float, np.ndarray]]:
    """(case, level index, confidence, heights (3,) mm) of each usable vertebra."""
    rows = []
    for case, name in enumerate(names):
        content = json.loads((folder / f"{name}_six_points.json").read_text())
        for vertebra in content["vertebrae"]:
            if vertebra["level"] in LEVELS and vertebra["confidence"] >= CONFIDENCE_MIN:
                heights = body_heights_mm(np.array([vertebra[k] for k in KEYPOINTS]))
                rows.append((case, LEVELS.index(vertebra["level"]), float(vertebra["confidence"]), heights))
    return rows


def smooth(level: np.ndarray, weight: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Locally linear kernel regression of `value` on level, (levels,); L5 by itself."""
    result = np.empty(len(LEVELS))
    for i in range(len(LEVELS)):
        kernel = weight * np.exp(-0.5 * ((level - i) / KERNEL_LEVELS) ** 2)
        last = len(LEVELS) - 1
        kernel = np.where((level == last) == (i == last), kernel, 0.0)
        if i == last:
            result[i] = np.average(value, weights=kernel)
            continue
        design = np.stack([np.ones_like(level), level - i], axis=1).astype(float)
        root = np.sqrt(kernel)
        result[i] = np.linalg.lstsq(design * root[:, None], value * root, rcond=None)[0][0]
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readings", type=Path)
    parser.add_argument("--use", action="append", required=True, metavar="NAME")
    arguments = parser.parse_args()
    rows = read(arguments.readings, arguments.use)
    case, level = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    weight, heights = np.array([r[2] for r in rows]), np.stack([r[3] for r in rows])
    log_anterior, log_middle = np.log(heights[:, 0] / heights[:, 2]), np.log(heights[:, 1] / heights[:, 2])
    # heights of the column: level curve and patient size together, alternating
    size = np.zeros(len(arguments.use))
    for _ in range(50):
        curve = smooth(level, weight, np.log(heights[:, 2]) - size[case])
        residual = np.log(heights[:, 2]) - curve[level]
        size = np.array([np.average(residual[case == c], weights=weight[case == c]) for c in range(len(size))])
        size -= size.mean()
    anterior, middle = smooth(level, weight, log_anterior), smooth(level, weight, log_middle)
    curve -= curve[LEVELS.index("T12")]
    content = {
        "levels": {
            name: {
                "anterior_to_posterior": round(float(np.exp(anterior[i])), 3),
                "middle_to_posterior": round(float(np.exp(middle[i])), 3),
                "posterior_height_relative": round(float(np.exp(curve[i])), 3),
                "readings": int((level == i).sum()),
            }
            for i, name in enumerate(LEVELS)
        },
        "residual_sd": {
            "log_anterior_to_posterior": round(float(np.std(log_anterior - anterior[level])), 3),
            "log_middle_to_posterior": round(float(np.std(log_middle - middle[level])), 3),
            "log_posterior_height": round(float(np.std(np.log(heights[:, 2]) - curve[level] - size[case])), 3),
        },
    }
    sys.stdout.write(yaml.safe_dump(content, sort_keys=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
