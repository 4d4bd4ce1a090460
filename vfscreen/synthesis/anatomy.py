"""Draw a synthetic patient at random.

Belongs here: sex, age, variants, tissue values, which vertebrae are fractured. Does not belong here: sizes and posture
of the bodies (`column`), the records themselves (`patient`), ribs and organs (`bones`, `surroundings`), pixels.

Parameters are drawn here, apart from their deterministic use (`patient.vertebra_truth`, `phantom.render`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vfscreen.schema.names import ContrastPhase, DeformityType
from vfscreen.synthesis.column import draw_body, stack
from vfscreen.synthesis.norms import COLUMN, DENSITY_OF_L1, PHASES
from vfscreen.synthesis.patient import (
    Float,
    FractureSpec,
    PatientSpec,
    VertebraSpec,
    VertebraTruth,
    genant_grade_of,
    vertebra_truth,
)

__all__ = [
    "Float",
    "FractureSpec",
    "PatientSpec",
    "VertebraSpec",
    "VertebraTruth",
    "draw_patient",
    "genant_grade_of",
    "vertebra_truth",
]


_ENHANCED = (ContrastPhase.ARTERIAL.value, ContrastPhase.PORTAL_VENOUS.value, ContrastPhase.DELAYED.value)


def draw_patient(
    rng: np.random.Generator,
    fractures: Sequence[FractureSpec] | None = None,
    *,
    sex: str | None = None,
    age_years: float | None = None,
    variant: str | None = None,
    scoliosis_deg: float | None = None,
    fracture_probability: float = 0.0,
    contrast: ContrastPhase | None = None,
) -> PatientSpec:
    """Draw a patient.

    fractures: those asked for; None draws some with `fracture_probability` a vertebra of T4-L5.
    variant: None draws (rarely one), else "none", "T13", "L6" or "no_T12_rib". scoliosis_deg: largest coronal tilt,
    None draws (mostly small). contrast: None draws (mostly none). The same generator state gives the same person
    whatever the fractures and the contrast, so that a follow-up differs from its baseline by them alone. Raises
    ValueError for a fracture at a level that is not there.
    """
    rng, body_rng, fracture_rng, stack_rng, tissue_rng = (np.random.default_rng(s) for s in rng.integers(2**62, size=5))
    sex = sex or str(rng.choice(["F", "M"]))
    age = float(rng.uniform(45, 90)) if age_years is None else float(age_years)
    scale = float((1.04 if sex == "M" else 0.95) * np.clip(rng.normal(1.0, 0.045), 0.88, 1.12))
    variant = variant or str(rng.choice(["none", "T13", "L6", "no_T12_rib"], p=[0.94, 0.015, 0.025, 0.02]))
    levels = list(COLUMN)
    if variant == "T13":
        levels.insert(levels.index("L1"), "T13")
    if variant == "L6":
        levels.append("L6")
    if fractures is None:
        fractures = _draw_fractures(fracture_rng, levels, fracture_probability)
    wanted = {f.level: f for f in fractures}
    if missing := wanted.keys() - set(levels):
        raise ValueError(f"the patient has no vertebra {sorted(missing)}")
    scoliosis = float(np.clip(rng.exponential(2.5), 0, 14)) if scoliosis_deg is None else scoliosis_deg
    bodies = [draw_body(body_rng, fracture_rng, level, scale, age, wanted.get(level)) for level in levels]
    vertebrae, sacrum = stack(stack_rng, bodies, scale, age, scoliosis)
    mean_hu = float(np.clip(250 - 1.75 * age, 75, 200))  # L1 falls by about 1.7 HU a year (Pickhardt 2013)
    ribs = {level: 1.0 for level in levels if level.startswith("T")}
    ribs["T12"] = 0.0 if variant == "no_T12_rib" else float(rng.uniform(0.5, 1.0))
    if variant == "T13":
        ribs["T13"] = float(rng.uniform(0.3, 0.8))
    density = {level: share * float(tissue_rng.normal(1.0, 0.03)) for level, share in DENSITY_OF_L1.items()}
    density["L1"] = 1.0
    enhanced = ContrastPhase(str(tissue_rng.choice(_ENHANCED, p=[0.35, 0.55, 0.1])))
    drawn = enhanced if rng.random() < 0.4 else ContrastPhase.NON_CONTRAST
    phase = contrast or drawn
    tissue = PHASES[phase]
    return PatientSpec(
        sex=sex,
        age_years=round(age),
        scale=scale,
        vertebrae=vertebrae,
        sacrum=sacrum,
        ribs=ribs,
        trabecular_hu=float(np.clip(rng.normal(mean_hu, 22), 45, 240)),
        cortical_hu=float(rng.uniform(430, 720)),
        shell_mm=float(rng.uniform(0.5, 0.9)),
        endplate_mm=float(rng.uniform(0.6, 1.1)),
        fat_mm=float(rng.uniform(8, 32)),
        breadth=float(rng.uniform(0.92, 1.12)),
        aorta_hu=float(rng.uniform(*tissue.aorta)),
        aorta_calcified=bool(rng.random() < (age - 45) / 60),
        noise_hu=float(rng.uniform(8, 22)),
        blur_mm=float(rng.uniform(0.7, 1.2)),
        surroundings_seed=int(rng.integers(2**31)),
        disc_gas=tuple(lv for lv in levels if lv[0] == "L" and rng.random() < 0.06),
        contrast_phase=phase,
        kidney_hu=float(tissue_rng.uniform(*tissue.kidney)),
        level_density=density,
        added_hu=tissue.bone,
    )


def _draw_fractures(rng: np.random.Generator, levels: Sequence[str], probability: float) -> list[FractureSpec]:
    kinds = (DeformityType.WEDGE, DeformityType.BICONCAVE, DeformityType.CRUSH)
    found = []
    for level in levels:
        if level[0] == "C" or level in ("T1", "T2", "T3") or rng.random() >= probability:
            continue
        kind = kinds[int(rng.choice(3, p=[0.55, 0.3, 0.15]))]
        found.append(FractureSpec(level, kind, float(rng.uniform(0.20, 0.58))))
    return found
