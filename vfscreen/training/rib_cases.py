"""What the rib network learns from: wide straightened columns with the kind of each vertebra.

Belongs here: a case's value, cases from readings and from synthetic patients, its file. Does not belong here: samples
and augmentation (rib_data), finding vertebrae (screening), the patients (synthesis).

A case is finer and wider than the slab the network's patches are cut from, so that they can be turned, scaled and
moved within it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.curve import Centreline
from vfscreen.geometry.volume import Volume
from vfscreen.models.ports import ModelSet
from vfscreen.schema.names import LEVELS
from vfscreen.screening.chain import screen_volume
from vfscreen.settings import ScreeningSettings
from vfscreen.spine.priors import STATES, VERTEBRA_KINDS, neighbour_steps
from vfscreen.spine.straighten import SlabSpec, straighten
from vfscreen.synthesis.anatomy import draw_patient
from vfscreen.synthesis.phantom import body_centres, render
from vfscreen.training.readings import Reading

Float = NDArray[np.float64]

CASE_SPEC = SlabSpec(
    pixel_mm=2.0,
    anterior_mm=48.0,
    posterior_mm=72.0,
    margin_mm=60.0,
    plane_offsets_mm=tuple(float(v) for v in np.arange(-84.0, 84.1, 2.0)),
)
"""The grid of every case."""

MATCH_MM = 12.0
"""A detection this near to a read vertebra's centre is that vertebra."""
_GAP_RANGE = (0.75, 1.3)
"""Gap between two detections, over the usual one of their levels, within which they count as neighbours."""
_SACRUM_BELOW_MM = 34.0
VARIANTS = ("none", "none", "none", "T13", "L6", "no_T12_rib")
"""Synthetic patients' variants: far more often than in life, for they are what must be told apart."""


@dataclass(frozen=True, eq=False)
class RibCase:
    """One straightened column on CASE_SPEC.

    hu: int16 (planes, rows, columns). centres_mm: (V, 3) curve coordinates s, p, l of the bodies' centres. levels: (V,)
    names, "S" for the sacrum. ribbed: (V,) does it bear a rib? sacrum_below: (V,) 1, 0, -1 unknown.
    """

    name: str
    hu: NDArray[np.int16]
    centres_mm: Float
    levels: tuple[str, ...]
    ribbed: NDArray[np.bool_]
    sacrum_below: NDArray[np.int64]

    @property
    def kinds(self) -> NDArray[np.int64]:
        """(V,) indices into VERTEBRA_KINDS."""
        return np.array([kind_of(v, bool(r)) for v, r in zip(self.levels, self.ribbed, strict=True)], dtype=np.int64)


def kind_of(level: str, ribbed: bool) -> int:
    """The kind of a vertebra: what it carries, not what it is called (a T12 without ribs looks lumbar)."""
    if level == "S":
        return VERTEBRA_KINDS.index("sacrum")
    if ribbed:
        return VERTEBRA_KINDS.index("rib_bearing")
    return VERTEBRA_KINDS.index("cervical" if level[0] == "C" else "lumbar")


def make_case(
    name: str,
    volume: Volume,
    centreline: Centreline,
    centres_mm: Float,
    levels: Sequence[str],
    ribbed: Sequence[bool],
    sacrum_below: Sequence[int],
) -> RibCase:
    """Straighten a volume. centres_mm: (V, 3) curve coordinates."""
    slab = straighten(volume, centreline, CASE_SPEC)
    return RibCase(
        name,
        np.rint(np.clip(slab.hu, -1024, 3071)).astype(np.int16),
        np.asarray(centres_mm, dtype=np.float64),
        tuple(levels),
        np.array(ribbed, dtype=bool),
        np.array(sacrum_below, dtype=np.int64),
    )


def reading_cases(
    reading: Reading, volumes: Sequence[tuple[str, Volume]], models: ModelSet, settings: ScreeningSettings
) -> list[RibCase]:
    """Cases of a read CT, one a volume (native, whole body at 3 mm, ...; all in the reading's coordinates).

    Vertebrae are those that the chain detects on the first volume, as the network will meet them; their levels come
    from the reading, counted on from it where nobody read. An L5 read last says that the sacrum follows.
    """
    result = screen_volume(volumes[0][1], models, settings)
    curve = result.centreline
    centres = np.stack([v.centre_lps_mm for v in result.vertebrae])
    levels = counted_levels(centres, reading)
    known = [i for i, level in enumerate(levels) if level is not None]
    names = [str(levels[i]) for i in known]
    at = curve.from_lps(centres[known]) if known else np.zeros((0, 3))
    below: list[int] = [0 if level[0] in "CT" or level in ("L1", "L2", "L3") else -1 for level in names]
    if names and names[-1] == reading.vertebrae[-1].level == "L5":
        below = [0] * (len(names) - 1) + [1, -1]
        names.append("S")
        at = np.vstack([at, at[-1] + [_SACRUM_BELOW_MM, 0.0, 0.0]])
    ribbed = [level[0] == "T" for level in names]
    return [make_case(name, volume, curve, at, names, ribbed, below) for name, volume in volumes]


def counted_levels(centres_lps_mm: Float, reading: Reading) -> list[str | None]:
    """Levels of detections (V, 3), superior to inferior: those read with certainty, and counted on from them.

    Counting stops where a vertebra may have been missed (the gap is not that of neighbours).
    """
    certain = [v for v in reading.vertebrae if v.level_certain and v.level is not None]
    levels: list[str | None] = [None] * len(centres_lps_mm)
    for v in certain:
        distance = np.linalg.norm(centres_lps_mm - v.centre_lps_mm, axis=1)
        if distance.min() <= MATCH_MM:
            levels[int(distance.argmin())] = v.level
    usual = {(STATES[s.upper], STATES[s.lower]): s.distance_mm for s in neighbour_steps()}
    order = [level for level in LEVELS if level not in ("T13", "L6")]
    gaps = np.linalg.norm(np.diff(centres_lps_mm, axis=0), axis=1)
    named = [(a, b, g) for a, b, g in zip(levels[:-1], levels[1:], gaps, strict=True) if (a, b) in usual]
    size = float(np.median([g / usual[str(a), str(b)] for a, b, g in named])) if named else 1.0
    for step in (-1, 1):
        walk = range(1, len(levels)) if step == 1 else range(len(levels) - 2, -1, -1)
        for i in walk:
            before = levels[i - step]
            if levels[i] is not None or before not in order:
                continue
            at = order.index(before) + step
            if not 0 <= at < len(order):
                continue
            pair = (before, order[at]) if step == 1 else (order[at], before)
            share = gaps[min(i, i - step)] / (usual[pair] * size)
            if _GAP_RANGE[0] <= share <= _GAP_RANGE[1]:
                levels[i] = order[at]
    return levels


def phantom_case(seed: int) -> RibCase:
    """Synthetic patient `seed`, C3 to sacrum, of any variant, with twelfth ribs from stumps to long ones."""
    rng = np.random.default_rng([93, seed])
    variant = str(rng.choice(VARIANTS))
    spec = draw_patient(rng, fracture_probability=0.15, variant=variant)
    last = "T13" if variant == "T13" else "T12"
    if spec.ribs[last] > 0:
        spec = replace(spec, ribs=spec.ribs | {last: float(rng.uniform(0.0, 1.0)) + 0.01})
    centres = body_centres(spec)
    path = np.array(list(centres.values()))
    low = path.min(axis=0) - np.array([88.0, 60.0, 70.0])
    high = path.max(axis=0) + np.array([88.0, 80.0, 30.0])
    spacing = np.array([1.8, 1.8, float(rng.choice([1.5, 2.0, 3.0]))])
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = low
    columns, rows, slices = (int(n) for n in np.ceil((high - low) / spacing))
    volume = render(spec, affine, (columns, rows, slices), rng, table=False)
    curve = Centreline.fit(path, residual_mm=1.0)
    order = sorted(centres, key=lambda level: -float(centres[level][2]))
    below = [int(lower == "S") for _, lower in pairwise(order)]
    return make_case(
        f"phantom-{seed:04d}-{variant}",
        volume,
        curve,
        curve.from_lps(np.stack([centres[level] for level in order])),
        order,
        [spec.ribs.get(level, 0.0) > 0 for level in order],
        [*below, -1],
    )


def save_case(case: RibCase, folder: Path) -> Path:
    """Keep a case as NAME.npz."""
    path = folder / f"{case.name}.npz"
    np.savez_compressed(
        path,
        hu=case.hu,
        centres_mm=case.centres_mm,
        levels=np.array(case.levels),
        ribbed=case.ribbed,
        sacrum_below=case.sacrum_below,
    )
    return path


def load_case(path: Path) -> RibCase:
    """A case kept by `save_case`."""
    with np.load(path, allow_pickle=False) as kept:
        levels = tuple(str(v) for v in kept["levels"])
        return RibCase(path.stem, kept["hu"], kept["centres_mm"], levels, kept["ribbed"], kept["sacrum_below"])
