"""What the film chain returns for one radiograph; plain values, no I/O, no rows (screening.film_rows makes those).

Positions are (row, column) of the film's own stored pixels. Heights in pixels are in distances between the film's rows,
which its columns are apart too unless its pixels are not square. `None` means not measured, with `reason` beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vfscreen.errors import ReasonCode, Rejected
from vfscreen.schema.names import BodyRegion, DeformityType, FilmView, PictureSide
from vfscreen.screening.result import PatientSummary
from vfscreen.spine.film_strip import FilmStrip

Float = NDArray[np.float64]


@dataclass(frozen=True)
class PictureReading:
    """What the pixels say the picture is. None where the release has no view network, or it failed (`problem`).

    view_probabilities: of every view, by name. anterior_side: of the stored picture, None where the patient's front
    looks up or down in it. rotation_deg: counter-clockwise, how far the stored picture was turned to be read.
    """

    view: FilmView | None = None
    view_probabilities: dict[str, float] | None = None
    body_region: BodyRegion | None = None
    body_region_probability: float | None = None
    anterior_side: PictureSide | None = None
    anterior_side_probability: float | None = None
    rotation_deg: int | None = None
    problem: str | None = None

    @property
    def view_probability(self) -> float | None:
        """Of the view that is named."""
        if self.view is None or self.view_probabilities is None:
            return None
        return self.view_probabilities[self.view.value]


@dataclass(frozen=True, eq=False)
class FilmVertebra:
    """One vertebra on a film, measured. Shapes: centre_px (2,), keypoints_px (6, 2), keypoint_sd_px (6,), heights and
    their standard deviations (3,): anterior, middle, posterior. mm only where the film's spacing is calibrated."""

    vertebra_level: str | None
    level_probability: float | None
    level_certain: bool
    truncated: bool
    detection_probability: float
    centre_px: Float
    keypoints_px: Float | None
    keypoint_sd_px: Float | None
    heights_px: Float | None
    height_sd_px: Float | None
    keypoint_sd_mm: Float | None
    heights_mm: Float | None
    height_sd_mm: Float | None
    height_loss_ratio_raw: float | None
    height_loss_ratio_adjusted: float | None
    genant_grade_raw: int | None
    genant_grade: int | None
    deformity_type: DeformityType | None
    fracture_probability: float | None
    grade2_probability: float | None
    grade3_probability: float | None
    fracture_score: float
    reason: ReasonCode | None
    fresh_probability: float | None = None


NOBODY = PatientSummary(None, None, None, None, ())
"""Of a film on which no vertebra was graded."""


@dataclass(frozen=True, eq=False)
class FilmResult:
    """A film at its end: screened, or rejected with the reason. What was learned of the picture on the way is kept.

    course_px: (N, 2) the column's course on the stored picture, superior first; empty where none was located. strip: as
    it was read, of the upright picture; None where none was cut.
    """

    picture: PictureReading
    height_calibrated: bool
    vertebrae: tuple[FilmVertebra, ...] = ()
    patient: PatientSummary = NOBODY
    course_px: Float = field(default_factory=lambda: np.zeros((0, 2)))
    strip: FilmStrip | None = None
    rejected: Rejected | None = None
