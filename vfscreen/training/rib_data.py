"""Samples for the rib network: patches of a case, turned, scaled, moved, cut and degraded as patients and scanners do.

Belongs here: drawing a sample and batches of them. Does not belong here: cases (rib_cases), the loop (rib_train).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import affine_transform
from scipy.spatial.transform import Rotation
from torch import Tensor

from vfscreen.geometry.volume import AIR_HU
from vfscreen.models.cards import IntensityWindow
from vfscreen.models.rib_network import PATCH_ROWS
from vfscreen.models.vertebra import window_hu
from vfscreen.spine.straighten import SlabSpec
from vfscreen.training.degrade import degrade
from vfscreen.training.rib_cases import CASE_SPEC, RibCase

Float = NDArray[np.float64]
Image = NDArray[np.float32]

SLAB = SlabSpec(
    pixel_mm=3.0,
    anterior_mm=30.0,
    posterior_mm=54.0,
    margin_mm=42.0,
    plane_offsets_mm=tuple(float(v) for v in np.arange(-58.5, 58.6, 3.0)),
)
"""What the network's patches are cut from."""

WINDOW = IntensityWindow(lower_hu=-150.0, upper_hu=650.0, centre_hu=-150.0, scale_hu=400.0)
"""Bone; fat and air are 0, so that neither lungs nor a cut field say anything of ribs."""

PHANTOM_SHARE = 0.4
JUNCTIONS = {"C7": 2.0, "T1": 2.0, "T11": 1.5, "T12": 3.0, "T13": 3.0, "L1": 3.0, "L5": 2.5, "L6": 2.5, "S": 2.0}
"""How much more often than others a level is drawn: those on either side of a landmark."""


@dataclass(frozen=True, eq=False)
class RibBatch:
    """image: (N, 1, planes, rows, columns) windowed. kind: (N,) indices. sacrum_below: (N,) 1, 0, -1 unknown."""

    image: Tensor
    kind: Tensor
    sacrum_below: Tensor


def patch_at(
    case: RibCase, centre_mm: Float, turn: Rotation | None = None, scale: float = 1.0, shift_mm: Float | None = None
) -> Image:
    """HU (planes, rows, columns) of SLAB's patch about curve coordinates (3,), trilinear.

    turn, scale, shift_mm: how the patch lies about the centre (axes planes, rows, columns); scale > 1 shows a larger
    patient.
    """
    planes, columns = len(SLAB.plane_offsets_mm), SLAB.columns
    first = np.array([SLAB.plane_offsets_mm[0], -(PATCH_ROWS - 1) / 2 * SLAB.pixel_mm, -SLAB.anterior_mm])
    if shift_mm is not None:
        first = first + shift_mm
    axes = (np.eye(3) if turn is None else turn.as_matrix()) / scale
    s, p, l_ = centre_mm
    origin = np.array([l_ - CASE_SPEC.plane_offsets_mm[0], s + CASE_SPEC.margin_mm, p + CASE_SPEC.anterior_mm])
    return np.asarray(
        affine_transform(
            case.hu,
            axes * SLAB.pixel_mm / CASE_SPEC.pixel_mm,
            offset=(origin + axes @ first) / CASE_SPEC.pixel_mm,
            output_shape=(planes, PATCH_ROWS, columns),
            order=1,
            output=np.float32,
            cval=AIR_HU,
            prefilter=False,
        )
    )


def draw_patch(case: RibCase, index: int, rng: np.random.Generator) -> Image:
    """One random view of a vertebra, HU."""
    turn = Rotation.from_euler("xyz", np.clip(rng.normal(0, 6, 3), -15, 15), degrees=True)
    shift = rng.normal(0, [2.5, 2.5, 2.5])
    scale = float(np.exp(rng.normal(0, 0.1)))
    hu = patch_at(case, case.centres_mm[index], turn, scale, shift)
    hu = degrade(hu, rng, pixel_mm=SLAB.pixel_mm, hard=0.8)
    # pixels of a sharp kernel are sampled, not averaged: single cells stand out
    hu = hu + np.float32(np.exp(rng.uniform(np.log(3.0), np.log(60.0)))) * rng.standard_normal(
        hu.shape, dtype=np.float32
    )
    return _cut_field(hu, rng)


def _cut_field(hu: Image, rng: np.random.Generator) -> Image:
    """Sometimes the volume ends above or below the vertebra, or beside it (a narrow reconstruction)."""
    rows = hu.shape[1]
    draw = rng.random()
    if draw < 0.12:
        hu[:, : int(rng.integers(1, rows // 2 - 1))] = AIR_HU
    elif draw < 0.24:
        hu[:, -int(rng.integers(1, rows // 2 - 1)) :] = AIR_HU
    if rng.random() < 0.3:
        wide, aside = rng.uniform(36.0, 62.0), rng.uniform(-8.0, 8.0)
        offsets = np.asarray(SLAB.plane_offsets_mm)
        hu[np.abs(offsets - aside) > wide] = AIR_HU
    return hu


def batches(cases: Sequence[RibCase], batch: int, rng: np.random.Generator, device: torch.device) -> Iterator[RibBatch]:
    """Batches for ever: synthetic patients by PHANTOM_SHARE, junctions more often. Raises ValueError without cases."""
    pools: list[tuple[list[tuple[RibCase, int]], Float]] = []
    for synthetic in (False, True):
        pool = [(c, i) for c in cases if c.name.startswith("phantom-") == synthetic for i in range(len(c.centres_mm))]
        chances = np.array([JUNCTIONS.get(c.levels[i], 1.0) for c, i in pool])
        pools.append((pool, chances / chances.sum() if pool else chances))
    if not pools[0][0] and not pools[1][0]:
        raise ValueError("no vertebra to train on")
    while True:
        chosen: list[tuple[RibCase, int]] = []
        for _ in range(batch):
            synthetic = rng.random() < PHANTOM_SHARE
            pool, chances = pools[synthetic] if pools[synthetic][0] else pools[not synthetic]
            chosen.append(pool[int(rng.choice(len(pool), p=chances))])
        image = np.stack([window_hu(draw_patch(c, i, rng), WINDOW) for c, i in chosen])[:, None]
        yield RibBatch(
            torch.from_numpy(image).to(device),
            torch.tensor([int(c.kinds[i]) for c, i in chosen], device=device),
            torch.tensor([int(c.sacrum_below[i]) for c, i in chosen], device=device),
        )
