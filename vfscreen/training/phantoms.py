"""The spine region of synthetic patients (the demo archive's anatomy).

Belongs here: patient -> spine crop with its truth. Does not belong here: the patient and its pixels (synthesis).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfscreen.geometry.curve import Centreline
from vfscreen.geometry.volume import Volume
from vfscreen.synthesis.anatomy import draw_patient, vertebra_truth
from vfscreen.synthesis.phantom import body_centres, render
from vfscreen.training.readings import ReadVertebra

CONFIDENCE = 0.5
"""Phantoms are exact but not real: they count less than a good reading."""


@dataclass(frozen=True, eq=False)
class PhantomSpine:
    """The spine region of a synthetic patient. fractured: per vertebra, was it drawn as one of 20 % loss or more."""

    volume: Volume
    centreline: Centreline
    vertebrae: tuple[ReadVertebra, ...]
    fractured: tuple[bool, ...]


def draw_phantom(seed: int, fracture_probability: float = 0.3) -> PhantomSpine:
    """Synthetic patient `seed` with random fractures, in axial slices of random thickness; centreline C3 to S1."""
    rng = np.random.default_rng([77, seed])
    spec = draw_patient(rng, fracture_probability=fracture_probability)
    path = np.array(list(body_centres(spec).values()))
    low = path.min(axis=0) - np.array([26.0, 66.0, 40.0])
    high = path.max(axis=0) + np.array([26.0, 66.0, 30.0])
    spacing = np.array([0.9, 0.9, float(rng.choice([1.0, 1.5, 2.0, 3.0]))])
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = low
    columns, rows, slices = (int(n) for n in np.ceil((high - low) / spacing))
    volume = render(spec, affine, (columns, rows, slices), rng, table=False)
    return PhantomSpine(
        volume,
        Centreline.fit(path, residual_mm=1.0),
        tuple(ReadVertebra(t.level, True, CONFIDENCE, t.keypoints_lps_mm) for t in vertebra_truth(spec)),
        tuple(v.fracture is not None and v.fracture.loss >= 0.2 for v in spec.vertebrae),
    )
