"""Draw training patches to look at: would a radiologist laugh?

    python benchmarks/patch_gallery.py WORK/cases/phantom*.npz --out gallery.jpg [--seed 0]

Cases come from `python -m vfscreen.training.vertebra prepare`. Crosses are the corners, lines the endplates that the
network is taught; the number is the raw height loss of the six points. Pictures of real patients' cases stay where the
patients' data is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from vfscreen.spine.patches import PatchSpec
from vfscreen.training.fracture_shapes import ShapeSettings
from vfscreen.training.patch_data import LOWER_HU, STEP_HU, draw_patch
from vfscreen.training.slab_cases import load_case


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--columns", type=int, default=7)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    cases = [load_case(path) for path in arguments.cases]
    size = (arguments.columns * 1.6, arguments.rows * 1.75)
    figure, axes = plt.subplots(arguments.rows, arguments.columns, figsize=size, squeeze=False)
    for axis in axes.flat:
        case = cases[int(rng.integers(len(cases)))]
        patch = draw_patch(case, int(rng.integers(len(case.points))), PatchSpec(), ShapeSettings(), rng)
        middle = patch.hu[patch.hu.shape[0] // 2].astype(float) * STEP_HU + LOWER_HU
        axis.imshow(middle, cmap="gray", vmin=-200, vmax=700)
        axis.plot(patch.corners[:, 1], patch.corners[:, 0], "+", color="tab:red", markersize=5)
        axis.plot(patch.plates.T, color="tab:orange", linewidth=0.5)
        axis.set_title(f"loss {patch.loss:.2f}", fontsize=7, pad=2)
        axis.axis("off")
    figure.tight_layout(pad=0.3)
    figure.savefig(arguments.out, dpi=110, pil_kwargs={"quality": 82} if arguments.out.suffix == ".jpg" else None)


if __name__ == "__main__":
    main()
