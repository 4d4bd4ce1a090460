"""Who is in the demo archive, what was scanned, and what must become of every series.

Belongs here: the cast - patients, studies, series, distractors - as data. Does not belong here: rendering and writing
(`demo_archive`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from vfscreen.errors import ReasonCode
from vfscreen.schema.names import ContrastPhase, DeformityType
from vfscreen.synthesis.anatomy import FractureSpec
from vfscreen.synthesis.dicom_writer import JPEG_2000, JPEG_LS, RLE, UNCOMPRESSED

WEDGE, BICONCAVE, CRUSH = DeformityType.WEDGE, DeformityType.BICONCAVE, DeformityType.CRUSH

Kind = Literal["stack", "localizer", "coronal", "mr", "dose_report", "screenshot"]
Package = Literal["folder", "zip", "media"]


@dataclass(frozen=True)
class SeriesPlan:
    """One series. reason: why it is not screened, None for the one that is.

    field: the matrix, columns x rows. spacing_mm: pixel, slice. sharp: a bone or lung kernel.
    """

    kind: Kind = "stack"
    description: str = ""
    matrix: tuple[int, int] = (320, 320)
    pixel_mm: tuple[float, float] = (1.1, 1.1)
    slice_mm: float = 2.5
    sharp: bool = False
    transfer_syntax: str = UNCOMPRESSED
    signed: bool = False
    reversed_numbers: bool = False
    descending: bool = False
    tilt_deg: float = 0.0
    leave_out: tuple[int, ...] = ()
    suffix: str = ".dcm"
    reason: ReasonCode | None = None


@dataclass(frozen=True)
class StudyPlan:
    """A visit. top, bottom: the scan runs from the middle of one level (or sacrum "S") to the middle of another.

    contrast: what was given. agent: what the header says of it, which may be nothing. kvp_kV: the voltage;
    header_kvp: whether the header has it.
    """

    years_later: int
    description: str
    top: str
    bottom: str
    series: tuple[SeriesPlan, ...]
    fractures: tuple[FractureSpec, ...] = ()
    patient_position: str = "HFS"
    body_part: str = "SPINE"
    package: Package = "folder"
    contrast: ContrastPhase = ContrastPhase.NON_CONTRAST
    agent: str | None = None
    kvp_kV: float = 120.0
    header_kvp: bool = True


@dataclass(frozen=True)
class PatientPlan:
    sex: str
    age_years: int
    studies: tuple[StudyPlan, ...]
    scoliosis_deg: float = 2.0
    variant: str = "none"
    manufacturer: str = "SYNTHETIC SIEMENS-LIKE"
    kernels: tuple[str, str] = field(default=("B30f", "B70f"))


def _soft_and_sharp(soft: SeriesPlan, **sharp: object) -> tuple[SeriesPlan, SeriesPlan]:
    values: dict[str, object] = {
        "description": "sharp",
        "matrix": soft.matrix,
        "pixel_mm": soft.pixel_mm,
        "slice_mm": soft.slice_mm,
        "sharp": True,
        "transfer_syntax": JPEG_LS,
        "reason": ReasonCode.NOT_BEST_SERIES,
        **sharp,
    }
    return soft, SeriesPlan(**values)  # type: ignore[arg-type]


_LOCALIZER = SeriesPlan("localizer", "Topogram", reason=ReasonCode.LOCALIZER)
_DOSE = SeriesPlan("dose_report", "Dose Report", reason=ReasonCode.NOT_AN_IMAGE)

_INITIAL_LESIONS = (
    FractureSpec("T8", WEDGE, 0.32),
    FractureSpec("L1", CRUSH, 0.46),
    FractureSpec("L3", BICONCAVE, 0.225),
)

CAST: tuple[PatientPlan, ...] = (
    PatientPlan(
        "F",
        74,
        (
            StudyPlan(
                0,
                "CT whole spine",
                "C5",
                "S",
                (
                    _LOCALIZER,
                    *_soft_and_sharp(
                        SeriesPlan(description="Spine soft 2.0", matrix=(336, 336), pixel_mm=(1.0, 1.0), slice_mm=2.0),
                        slice_mm=3.0,
                    ),
                    SeriesPlan("coronal", "Spine coronal", slice_mm=4.0, reason=ReasonCode.ORIENTATION_NOT_AXIAL),
                    _DOSE,
                ),
                _INITIAL_LESIONS,
            ),
        ),
    ),
    PatientPlan(
        "M",
        66,
        (
            StudyPlan(
                0,
                "CT chest",
                "C7",
                "L1",
                _soft_and_sharp(
                    SeriesPlan(description="Chest soft 2.5", transfer_syntax=RLE, suffix=""),
                    description="Lung",
                    slice_mm=2.5,
                ),
                body_part="CHEST",
                contrast=ContrastPhase.PORTAL_VENOUS,
                agent="IOMEPROL 400",
            ),
            StudyPlan(
                2,
                "CT chest follow-up",
                "C7",
                "L2",
                (
                    _LOCALIZER,
                    *_soft_and_sharp(
                        SeriesPlan(description="Chest soft 2.0", transfer_syntax=JPEG_LS, slice_mm=2.0),
                        description="Lung",
                        slice_mm=3.0,
                    ),
                    _DOSE,
                ),
                (FractureSpec("T7", WEDGE, 0.27), FractureSpec("T12", WEDGE, 0.36)),
                body_part="CHEST",
            ),
        ),
        manufacturer="SYNTHETIC GE-LIKE",
        kernels=("STANDARD", "LUNG"),
    ),
    PatientPlan(
        "F",
        81,
        (
            StudyPlan(
                0,
                "CT abdomen and pelvis",
                "T10",
                "S",
                _soft_and_sharp(
                    SeriesPlan(
                        description="Abdomen soft 2.5",
                        matrix=(360, 300),
                        pixel_mm=(1.05, 1.05),
                        transfer_syntax=RLE,
                        signed=True,
                        descending=True,
                    ),
                    description="Abdomen bone",
                    slice_mm=2.5,
                ),
                (FractureSpec("L2", CRUSH, 0.50), FractureSpec("L4", BICONCAVE, 0.30)),
                "FFS",
                "ABDOMEN",
                contrast=ContrastPhase.PORTAL_VENOUS,
                kvp_kV=100.0,
            ),
        ),
        manufacturer="SYNTHETIC PHILIPS-LIKE",
        kernels=("B", "YC"),
    ),
    PatientPlan(
        "M",
        55,
        (
            StudyPlan(
                0,
                "CT abdomen",
                "T11",
                "L5",
                (
                    SeriesPlan(
                        description="Abdomen soft 3.0",
                        slice_mm=3.0,
                        transfer_syntax=JPEG_2000,
                        reversed_numbers=True,
                    ),
                    SeriesPlan(description="Abdomen thick 7.5", slice_mm=7.5, reason=ReasonCode.SLICES_TOO_THICK),
                    SeriesPlan("screenshot", "Screen save", reason=ReasonCode.DERIVED_IMAGE),
                ),
                body_part="ABDOMEN",
                package="media",
            ),
            StudyPlan(
                1,
                "MR lumbar spine",
                "T11",
                "S",
                (SeriesPlan("mr", "T2 sagittal", reason=ReasonCode.MODALITY_NOT_SUPPORTED),),
            ),
        ),
    ),
    PatientPlan(
        "F",
        69,
        (
            StudyPlan(
                0,
                "CT chest",
                "T1",
                "L1",
                (
                    SeriesPlan(description="Chest tilted 2.5", tilt_deg=12.0),
                    SeriesPlan(
                        description="Chest with a gap",
                        slice_mm=2.5,
                        leave_out=(40, 41, 42),
                        reason=ReasonCode.MISSING_SLICES,
                    ),
                ),
                (FractureSpec("T6", WEDGE, 0.235),),
                body_part="CHEST",
                header_kvp=False,
            ),
        ),
        manufacturer="SYNTHETIC TOSHIBA-LIKE",
        kernels=("FC08", "FC52"),
    ),
    PatientPlan(
        "F",
        77,
        (
            StudyPlan(
                0,
                "CT thoracolumbar spine",
                "T6",
                "L4",
                (
                    SeriesPlan(
                        description="Spine 1.25",
                        matrix=(288, 320),
                        pixel_mm=(0.625, 0.625),
                        slice_mm=1.25,
                        transfer_syntax=JPEG_LS,
                    ),
                ),
                (FractureSpec("T11", WEDGE, 0.34), FractureSpec("T12", CRUSH, 0.44)),
                package="zip",
                kvp_kV=100.0,
            ),
        ),
        scoliosis_deg=9.0,
    ),
)
"""Six invented patients; each shows something that an archive holds and a sweep must get right."""


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
        _soft_and_sharp(soft),
        fractures,
        body_part="CHEST" if chest else "ABDOMEN",
        contrast=ContrastPhase(str(rng.choice([p.value for p in ContrastPhase], p=[0.55, 0.1, 0.3, 0.05]))),
        agent="IOHEXOL" if rng.random() < 0.7 else None,
        kvp_kV=float(rng.choice([100.0, 120.0, 140.0], p=[0.3, 0.6, 0.1])),
    )
    if study.contrast is ContrastPhase.NON_CONTRAST:
        study = replace(study, agent=None)
    return PatientPlan(str(rng.choice(["F", "M"])), int(rng.integers(50, 90)), (study,))
