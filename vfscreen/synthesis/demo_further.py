"""Patients of the demo archive beyond the cast, drawn at random: one abdomen or chest CT each.

Belongs here: the draw. Does not belong here: the cast (`demo_cast`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vfscreen.schema.names import ContrastPhase
from vfscreen.synthesis.anatomy import FractureSpec
from vfscreen.synthesis.demo_cast import BICONCAVE, CRUSH, WEDGE, soft_and_sharp
from vfscreen.synthesis.demo_plan import PatientPlan, SeriesPlan, StudyPlan


def further_patient(rng: np.random.Generator) -> PatientPlan:
    """A patient beyond the cast: one abdomen or chest CT with fractures drawn at random."""
    chest = bool(rng.random() < 0.5)
    levels: Sequence[str] = ("T5", "T6", "T7", "T8", "T9", "T10", "T11") if chest else ("T12", "L1", "L2", "L3", "L4")
    count = int(rng.choice([0, 1, 2], p=[0.5, 0.3, 0.2]))
    fractures = tuple(
        FractureSpec(str(level), (WEDGE, BICONCAVE, CRUSH)[int(rng.integers(3))], float(rng.uniform(0.21, 0.55)))
        for level in rng.choice(levels, count, replace=False)
    )
    soft = SeriesPlan(
        description="Chest soft" if chest else "Abdomen soft", slice_mm=float(rng.choice([2.0, 2.5, 3.0]))
    )
    study = StudyPlan(
        0,
        "CT chest" if chest else "CT abdomen",
        "T1" if chest else "T10",
        "L1" if chest else "S",
        soft_and_sharp(soft),
        fractures,
        body_part="CHEST" if chest else "ABDOMEN",
        contrast=ContrastPhase(str(rng.choice([p.value for p in ContrastPhase], p=[0.55, 0.1, 0.3, 0.05]))),
        agent="IOHEXOL" if rng.random() < 0.7 else None,
        kvp_kV=float(rng.choice([100.0, 120.0, 140.0], p=[0.3, 0.6, 0.1])),
    )
    if study.contrast is ContrastPhase.NON_CONTRAST:
        study = replace(study, agent=None)
    return PatientPlan(str(rng.choice(["F", "M"])), int(rng.integers(50, 90)), (study,))
