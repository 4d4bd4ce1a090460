"""What the screening chain asks of a model; every adaptor (torch, OpenVINO, a test's dummy) keeps these contracts.

Belongs here: protocols and the plain values that cross them. No torch, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.volume import Volume
from vfscreen.morphometry.probability import GradeCalibration
from vfscreen.schema.names import LEVELS
from vfscreen.spine.landmarks import RibReading
from vfscreen.spine.patches import PatchSpec
from vfscreen.spine.straighten import SlabSpec

if TYPE_CHECKING:
    from vfscreen.models.film_ports import FilmModels

Float = NDArray[np.float64]

COLUMN_CLASSES: tuple[str, ...] = (*LEVELS, "S")
"""Classes of `LocatedColumn.level_log_likelihood`: the vertebra levels and the sacrum."""


@dataclass(frozen=True, eq=False)
class LocatedColumn:
    """Where the vertebral bodies' column runs, one candidate an axial position.

    points_lps_mm: (M, 3), from superior to inferior, at positions where the column is present (M may be 0).
    presence: (M,) probability 0..1 that the vertebral body column is there.
    level_log_likelihood: (M, len(COLUMN_CLASSES)) what the wide view (ribs, sacrum, pelvis) says of the level at that
        position, comparable within one row; None from a locator that does not judge levels.
    """

    points_lps_mm: Float
    presence: Float
    level_log_likelihood: Float | None = None


@dataclass(frozen=True, eq=False)
class Detection:
    """One vertebra as the network sees it, in slab pixels (row, column), fractions allowed.

    score: 0..1. centre: (2,). keypoints: (6, 2) in the order of schema.names.KEYPOINTS. keypoint_sd_mm: (6, 2) standard
    deviation along rows and columns in mm. level_scores: (len(LEVELS),) log-likelihoods, comparable
    within one detection. fracture_score: 0..1, uncalibrated.
    """

    score: float
    centre: Float
    keypoints: Float
    keypoint_sd_mm: Float
    level_scores: Float
    fracture_score: float


@dataclass(frozen=True, eq=False)
class PatchReading:
    """What was read on n patches. points: (n, 6, 2) row and column in the order of schema.names.KEYPOINTS. spread: (n,
    6, 2) standard deviations of their distributions along rows and columns. All in pixels."""

    points: Float
    spread: Float


class Locator(Protocol):
    """Finds the vertebral column on the whole volume at low resolution."""

    def locate(self, volume: Volume) -> LocatedColumn:
        """Never raises for odd anatomy or orientation; an absent column is an empty result."""
        ...


class VertebraDetector(Protocol):
    """Finds vertebrae and their six points on a straightened slab."""

    @property
    def slab_spec(self) -> SlabSpec: ...

    def detect(self, hu: NDArray[np.float32]) -> list[Detection]:
        """hu: (planes, rows, columns) as `slab_spec` says -> detections from superior to inferior, after NMS."""
        ...


class EndplateReader(Protocol):
    """Reads the six points of single vertebrae, on patches that an earlier look placed."""

    @property
    def patch_spec(self) -> PatchSpec: ...

    def read(self, hu: NDArray[np.float32]) -> PatchReading:
        """hu: (n, planes, rows, columns) as `patch_spec` says."""
        ...

    @property
    def grade_calibration(self) -> GradeCalibration:
        """What the probabilities that follow from its heights are worth."""
        ...

    def sd_mm(self, spread_px: Float, pixel_mm: float) -> Float:
        """Calibrated standard deviations in mm of points whose distributions are `spread_px` wide."""
        ...


class RibReader(Protocol):
    """Looks for ribs and sacrum around single vertebrae, on a wide and coarse slab along the centreline."""

    @property
    def slab_spec(self) -> SlabSpec: ...

    def read(self, hu: NDArray[np.float32], centre_rows: Float) -> RibReading:
        """hu: (planes, rows, columns) as `slab_spec` says. centre_rows: (n,) rows of the vertebrae's centres."""
        ...


@dataclass(frozen=True)
class ModelSet:
    """The models of one release. `release` is a name with a content hash and goes into every row. A release may do
    without an endplate reader (the detector's points stand) and without a rib reader (no landmark fixes a numbering
    then, unless the locator sees one), and without film networks (radiographs are rejected then)."""

    release: str
    locator: Locator
    detector: VertebraDetector
    endplates: EndplateReader | None = None
    ribs: RibReader | None = None
    films: FilmModels | None = None
