"""A synthetic patient as values, and the exact truth that follows from them.

Belongs here: the frozen records of fracture, vertebra and patient, and the truth of a vertebra. Does not belong here:
drawing them (`anatomy`, `column`), pixels (`phantom`).

Positions are LPS mm; the centre of the S1 endplate is near the origin and the column runs up along +z.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vfscreen.schema.names import ContrastPhase, DeformityType

Float = NDArray[np.float64]


@dataclass(frozen=True)
class FractureSpec:
    """A fracture to be put into a patient: `loss` is the raw height loss ratio 1 - min/max that the truth will have."""

    level: str
    deformity: DeformityType
    loss: float

    def __post_init__(self) -> None:
        if not 0.0 < self.loss <= 0.75 or self.deformity is DeformityType.NONE:
            raise ValueError("a fracture needs a deformity and a loss in 0..0.75")


@dataclass(frozen=True, eq=False)
class VertebraSpec:
    """One vertebra of a patient.

    frame: (3, 3), rows are the body's left, posterior and superior unit vectors in LPS. centre_lps_mm: (3,) origin of
    the local coordinates (u left, v posterior, w superior; mm). superior_w, inferior_w: (3,) height w of the endplate
    at the anterior corner, middle and posterior corner. depth: antero-posterior, mm; `flare_superior` and
    `flare_inferior` scale width and depth at the two endplates. dish_power: how sharply the endplate is dished.
    """

    level: str
    centre_lps_mm: Float
    frame: Float
    width: float
    depth: float
    superior_w: Float
    inferior_w: Float
    flare_superior: float
    flare_inferior: float
    waist: float
    dish_power: float
    osteophyte: float
    sclerosis_hu: float
    fracture: FractureSpec | None

    def to_lps(self, uvw: Float) -> Float:
        """(..., 3) local -> (..., 3) LPS mm."""
        return np.asarray(np.asarray(uvw, dtype=np.float64) @ self.frame + self.centre_lps_mm)

    @property
    def keypoints_uvw(self) -> Float:
        """(6, 3) the six points in local coordinates, in the order of schema.names.KEYPOINTS."""
        half = 0.5 * self.depth
        points = []
        for column, side in enumerate((-1.0, 0.0, 1.0)):
            for flare, w in ((self.flare_superior, self.superior_w), (self.flare_inferior, self.inferior_w)):
                points.append((0.0, side * half * flare, w[column]))
        return np.asarray(points)

    @property
    def mean_height(self) -> float:
        return float(np.mean(self.superior_w - self.inferior_w))


@dataclass(frozen=True, eq=False)
class PatientSpec:
    """Everything that fixes a synthetic patient; two renders of one spec differ in noise only.

    vertebrae: from superior to inferior. ribs: level -> length fraction 0..1 (0 is absent). surroundings_seed fixes
    what is drawn of organs. HU values are those of the tissue without noise.

    trabecular_hu: spongy bone of L1 at 120 kV without contrast. level_density: of each level against it. added_hu: what
    contrast and voltage add to spongy bone in this scan.
    """

    sex: str
    age_years: float
    scale: float
    vertebrae: tuple[VertebraSpec, ...]
    sacrum: VertebraSpec
    ribs: dict[str, float]
    trabecular_hu: float
    cortical_hu: float
    shell_mm: float
    endplate_mm: float
    fat_mm: float
    breadth: float
    aorta_hu: float
    aorta_calcified: bool
    noise_hu: float
    blur_mm: float
    surroundings_seed: int
    disc_gas: tuple[str, ...] = field(default=())
    contrast_phase: ContrastPhase = ContrastPhase.NON_CONTRAST
    kidney_hu: float = 30.0
    level_density: Mapping[str, float] = field(default_factory=dict)
    added_hu: float = 0.0

    def vertebra(self, level: str) -> VertebraSpec:
        return next(v for v in self.vertebrae if v.level == level)

    def native_hu(self, level: str) -> float:
        """Spongy bone of a level as it would be at 120 kV without contrast; the sacrum is "S"."""
        return self.trabecular_hu * self.level_density.get(level, 1.0)

    def spongy_hu(self, level: str) -> float:
        """Spongy bone of a level in this scan."""
        return self.native_hu(level) + self.added_hu


@dataclass(frozen=True, eq=False)
class VertebraTruth:
    """What is known of a vertebra. keypoints_lps_mm: (6, 3). heights_mm: (3,) anterior, middle, posterior."""

    level: str
    centre_lps_mm: Float
    keypoints_lps_mm: Float
    heights_mm: Float
    height_loss_ratio_raw: float
    genant_grade_raw: int
    deformity_type: DeformityType


def genant_grade_of(loss: float) -> int:
    """Grade 0..3 of a height loss; 0.20, 0.25 and 0.40 belong to the higher grade (Genant et al., JBMR 1993).

    Written apart from `vfscreen.morphometry` so that the truth does not share a mistake with what it judges.
    """
    return sum(loss >= border for border in (0.20, 0.25, 0.40))


def vertebra_truth(spec: PatientSpec) -> tuple[VertebraTruth, ...]:
    """The exact truth of every vertebra of the patient, from superior to inferior, whatever is in a field of view."""
    return tuple(_truth(v) for v in spec.vertebrae)


def _truth(vertebra: VertebraSpec) -> VertebraTruth:
    points = vertebra.to_lps(vertebra.keypoints_uvw)
    heights = np.linalg.norm(points[0::2] - points[1::2], axis=1)
    # an exact target such as 0.25 must not fall below its border by the last bit of a square root
    loss = float(np.round(1.0 - heights.min() / heights.max(), 9))
    return VertebraTruth(
        level=vertebra.level,
        centre_lps_mm=points.mean(axis=0),
        keypoints_lps_mm=points,
        heights_mm=heights,
        height_loss_ratio_raw=loss,
        genant_grade_raw=genant_grade_of(loss),
        deformity_type=DeformityType.NONE if vertebra.fracture is None else vertebra.fracture.deformity,
    )
