"""What a demo archive may hold: patients, studies, series and films as plans, and what must become of every series.

Belongs here: the words of a plan. Does not belong here: who is in the archive (`demo_cast`), rendering and writing
(`demo_archive`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from vfscreen.errors import ReasonCode
from vfscreen.schema.names import ContrastPhase
from vfscreen.synthesis.anatomy import FractureSpec
from vfscreen.synthesis.dicom_writer import UNCOMPRESSED

Kind = Literal["stack", "localizer", "coronal", "mr", "dose_report", "screenshot", "films"]
FilmKind = Literal["lateral", "ap", "hand"]
FilmSpacing = Literal["calibrated", "detector", "none"]
Package = Literal["folder", "zip", "media"]


@dataclass(frozen=True)
class FilmPlan:
    """One radiograph, from the middle of one level (or sacrum "S") to the middle of another and some way beyond.

    pixel_mm: at the detector, source_detector_mm and source_axis_mm away from it. yaw, pitch: how the patient stands
    askew. flipped: the front to the right. inverse: stored bone dark, as MONOCHROME1. spacing: what the header says of
    it. collimated: shutters are in view. reason: why it is not screened, None for one that is.
    """

    kind: FilmKind
    top: str
    bottom: str
    width_mm: float = 240.0
    pixel_mm: float = 0.4
    source_detector_mm: float = 1150.0
    source_axis_mm: float = 920.0
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    flipped: bool = False
    inverse: bool = False
    spacing: FilmSpacing = "calibrated"
    collimated: bool = False
    view_position: str | None = "LL"
    body_part: str = "LSPINE"
    reason: ReasonCode | None = None


@dataclass(frozen=True)
class SeriesPlan:
    """One series. reason: why it is not screened, None for the one that is.

    field: the matrix, columns x rows. spacing_mm: pixel, slice. sharp: a bone or lung kernel.
    films: of a radiograph series, in the order of their numbers.
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
    films: tuple[FilmPlan, ...] = ()
    modality: str = "CT"


@dataclass(frozen=True)
class StudyPlan:
    """A visit. top, bottom: the scan runs from the middle of one level (or sacrum "S") to the middle of another.

    contrast: what was given. agent: what the header says of it, which may be nothing. kvp_kV: the voltage;
    header_kvp: whether the header has it. days_later: besides whole years.
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
    days_later: int = 0


@dataclass(frozen=True)
class PatientPlan:
    sex: str
    age_years: int
    studies: tuple[StudyPlan, ...]
    scoliosis_deg: float = 2.0
    variant: str = "none"
    manufacturer: str = "SYNTHETIC SIEMENS-LIKE"
    kernels: tuple[str, str] = field(default=("B30f", "B70f"))
