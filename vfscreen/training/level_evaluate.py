"""Measure levels: are the vertebrae named rightly, is the certainty deserved, do probabilities keep their word.

Belongs here: columns of readings and of synthetic patients named by the chain, the numbers with their intervals. Does
not belong here: naming (spine.labelling), where volumes come from (ribs).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vfscreen.evaluation.binary import wilson
from vfscreen.geometry.volume import Volume
from vfscreen.models.ports import ModelSet
from vfscreen.screening.chain import screen_volume
from vfscreen.settings import ScreeningSettings
from vfscreen.spine.priors import STATES, steps
from vfscreen.synthesis.anatomy import draw_patient
from vfscreen.synthesis.phantom import body_centres, render
from vfscreen.training.readings import Reading
from vfscreen.training.rib_cases import MATCH_MM, counted_levels
from vfscreen.training.vertebra_evaluate import Number

Float = NDArray[np.float64]

FIELDS: dict[str, tuple[str, str]] = {
    "chest": ("C6", "L1"),
    "abdomen": ("T10", "L5"),
    "lumbar": ("L1", "S"),
    "mid-thorax": ("T3", "T9"),
    "upper abdomen": ("T9", "L3"),
    "thoracolumbar": ("T10", "L2"),
    "whole": ("C4", "S"),
}
"""Fields of view of synthetic examinations: first and last level whose centre is in view."""
VARIANTS = ("none", "none", "none", "none", "T13", "L6", "no_T12_rib")
CROP_MARGIN_MM = 4.0
RELIABILITY_EDGES = (0.0, 0.5, 0.8, 0.9, 0.99, 1.0)


@dataclass(frozen=True, eq=False)
class NamedColumn:
    """Vertebrae of one volume that are found and of known level. truth, named: (n,) levels, named may hold None.

    probability: (n,) the chain's. certain: (n,) `level_certain`. group: what kind of volume it is.
    """

    name: str
    group: str
    truth: tuple[str, ...]
    named: tuple[str | None, ...]
    probability: Float
    certain: NDArray[np.bool_]

    @property
    def right(self) -> NDArray[np.bool_]:
        return np.array([a == b for a, b in zip(self.truth, self.named, strict=True)], dtype=bool)

    @property
    def consecutive(self) -> bool:
        """Does every name follow from the one above it, with vertebrae missed in between at most?"""
        allowed = {(STATES[s.upper], STATES[s.lower]) for s in steps()}
        named = [level for level in self.named if level is not None]
        return all(pair in allowed for pair in itertools.pairwise(named))


def name_column(
    name: str,
    group: str,
    volume: Volume,
    truth: Callable[[Float], list[str | None]],
    models: ModelSet,
    settings: ScreeningSettings,
) -> NamedColumn:
    """Screen a volume. truth: centres (n, 3) LPS mm of what was found -> the true levels, None where unknown."""
    vertebrae = screen_volume(volume, models, settings).vertebrae
    levels = truth(np.stack([v.centre_lps_mm for v in vertebrae]))
    known = [(v, level) for v, level in zip(vertebrae, levels, strict=True) if level is not None]
    return NamedColumn(
        name,
        group,
        tuple(level for _, level in known),
        tuple(v.vertebra_level for v, _ in known),
        np.array([v.level_probability or 0.0 for v, _ in known]),
        np.array([v.level_certain for v, _ in known], dtype=bool),
    )


def read_levels(reading: Reading, doubtful: bool = False) -> Callable[[Float], list[str | None]]:
    """Truth of a read CT, counted on where nobody read. doubtful: levels the reader was not certain of as well."""
    if doubtful:
        reading = replace(reading, vertebrae=tuple(replace(v, level_certain=True) for v in reading.vertebrae))
    return lambda centres: counted_levels(centres, reading)


def cropped(volume: Volume, reading: Reading, first: str, last: str) -> Volume:
    """The slices that hold the read vertebrae `first` to `last` and a few mm more: a field without its surroundings.

    Slices are those of the axis nearest to the patient's z. Raises ValueError for a level that was not read.
    """
    read = {v.level: v for v in reading.vertebrae}
    if first not in read or last not in read:
        raise ValueError(f"{reading.name} has no reading of {first} and {last}")
    margin = np.array([0.0, 0.0, CROP_MARGIN_MM])
    top = read[first].keypoints_lps_mm[0::2].mean(axis=0) + margin
    bottom = read[last].keypoints_lps_mm[1::2].mean(axis=0) - margin
    ends = volume.to_ijk(np.stack([top, bottom]))
    axis = int(np.abs(volume.affine_lps[2, :3]).argmax())
    start, stop = (int(n) for n in np.clip(np.sort(np.rint(ends[:, axis])), 0, volume.shape_ijk[axis] - 1))
    affine = volume.affine_lps.copy()
    affine[:3, 3] += affine[:3, axis] * start
    return Volume(np.ascontiguousarray(np.take(volume.hu, range(start, stop + 1), axis=2 - axis)), affine)


def synthetic_column(seed: int, models: ModelSet, settings: ScreeningSettings) -> NamedColumn:
    """Synthetic patient `seed` in a random field of view, wide or narrow, 1 to 5 mm slices; variants are frequent."""
    rng = np.random.default_rng([98, seed])
    variant = str(rng.choice(VARIANTS))
    spec = draw_patient(rng, fracture_probability=0.15, variant=variant)
    centres = body_centres(spec)
    order = sorted(centres, key=lambda level: -float(centres[level][2]))
    places = np.stack([centres[level] for level in order])
    field = str(rng.choice(list(FIELDS)))
    first, last = FIELDS[field]
    high, low = centres[first][2] + rng.uniform(3, 27), centres[last][2] - rng.uniform(3, 27)
    middle = places[(places[:, 2] < high) & (places[:, 2] > low)].mean(axis=0)
    wide = rng.random() < 0.75
    half, front, back = (200.0, 190.0, 110.0) if wide else (float(rng.uniform(45, 75)), 60.0, 85.0)
    spacing = np.array([1.8, 1.8, rng.choice([1.5, 2.5, 5.0])] if wide else [1.0, 1.0, rng.choice([1.0, 2.0, 5.0])])
    corner = np.array([middle[0] - half, middle[1] - front, low])
    size = np.array([2 * half, front + back, high - low])
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = corner
    columns, rows, slices = (int(n) for n in np.ceil(size / spacing))
    volume = render(spec, affine, (columns, rows, slices), rng, table=bool(wide))

    def truth(found: Float) -> list[str | None]:
        distance = np.linalg.norm(found[:, None] - places[None], axis=2)
        return [order[int(d.argmin())] if d.min() < MATCH_MM else None for d in distance]

    return name_column(f"synthetic-{seed}", f"{variant}, {field}", volume, truth, models, settings)


def summarise_levels(columns: Sequence[NamedColumn]) -> list[Number]:
    """Shares with Wilson's interval, over all vertebrae of the columns."""
    if not columns:
        return []
    right = np.concatenate([c.right for c in columns])
    certain = np.concatenate([c.certain for c in columns])
    probability = np.concatenate([c.probability for c in columns])
    numbers = [
        _share("levels right", right),
        _share("columns wholly right", np.array([bool(c.right.all()) for c in columns])),
        _share("columns consecutive", np.array([c.consecutive for c in columns])),
        _share("levels called certain", certain),
        _share("right where certain", right[certain]),
        _share("right where not certain", right[~certain]),
        Number("mean probability less share right", float(probability.mean() - right.mean()), "", len(right), None),
    ]
    for low, high in itertools.pairwise(RELIABILITY_EDGES):
        within = (probability > low) & (probability <= high)
        if within.any():
            numbers.append(_share(f"right where probability is {low:g} to {high:g}", right[within]))
    return [number for number in numbers if number.n]


def _share(name: str, hits: NDArray[np.bool_]) -> Number:
    n = len(hits)
    return Number(name, float(hits.mean()) if n else float("nan"), "", n, wilson(int(hits.sum()), n))
