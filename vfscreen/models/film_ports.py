"""What the screening chain asks of a model of radiographs; every adaptor keeps these contracts.

Belongs here: protocols and the plain values that cross them. No torch, no I/O. Does not belong here: CT (ports).

Images are as `geometry.radiograph.Radiograph` holds them: float32 (rows, columns), larger = more attenuation, any
size and any scale of values; adaptors do their own normalising. Positions are pixels (row, column), centres at
integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vfscreen.models.ports import Detection, PatchReading
from vfscreen.morphometry.probability import GradeCalibration
from vfscreen.spine.film_crop import CropSpec
from vfscreen.spine.film_patches import FilmPatchSpec
from vfscreen.spine.film_strip import StripSpec

Float = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

VIEWS: tuple[str, ...] = ("lateral", "ap", "other")
BODY_REGIONS: tuple[str, ...] = ("thoracic", "lumbar", "thoracolumbar", "whole_spine", "chest", "other")
ROTATIONS_DEG: tuple[int, ...] = (0, 90, 180, 270)


@dataclass(frozen=True, eq=False)
class LocatedFilmColumn:
    """Where the vertebral bodies' column runs on a lateral film.

    points_px: (M, 2) row, column, from superior to inferior; M may be 0. presence: (M,) probability 0..1 that the
    column of bodies is there. body_height_px: (M,) height a vertebral body is expected to have there, a fracture apart.
    anterior_is_right_probability: that the patient faces the right edge of the picture.
    """

    points_px: Float
    presence: Float
    body_height_px: Float
    anterior_is_right_probability: float


@dataclass(frozen=True, eq=False)
class FilmView:
    """What a picture shows. Probabilities sum to 1 over each vocabulary.

    view: (len(VIEWS),). body_region: (len(BODY_REGIONS),). anterior_is_right_probability: of a lateral picture as it
    reads after it was turned by the most probable rotation. rotation: (len(ROTATIONS_DEG),), how far the picture must
    be turned counter-clockwise (numpy.rot90) for the head to be up.
    """

    view: Float
    body_region: Float
    anterior_is_right_probability: float
    rotation: Float


class FilmLocator(Protocol):
    """Finds the column of vertebral bodies on a whole film that has its head up (within about 25 degrees)."""

    def locate(self, image: Image, inside: Mask) -> LocatedFilmColumn:
        """Never raises for odd content; an absent column is an empty result."""
        ...


class FilmVertebraDetector(Protocol):
    """Finds vertebrae and their six points on a straightened strip of a film (spine.film_strip)."""

    @property
    def strip_spec(self) -> StripSpec: ...

    def detect(self, strip: Image, inside: Mask) -> list[Detection]:
        """strip: (rows, columns) as `strip_spec` says -> detections from superior to inferior, after NMS.

        Everything of a `Detection` is in strip pixels, `keypoint_sd_mm` too: multiply by `FilmStrip.px_a_strip_px` for
        pixels of the film, and by its spacing for mm where that is calibrated.
        """
        ...


class FilmEndplateReader(Protocol):
    """Reads the six points of single vertebrae on their own patches of a film (spine.film_patches)."""

    @property
    def patch_spec(self) -> FilmPatchSpec: ...

    @property
    def grade_calibration(self) -> GradeCalibration: ...

    def read(self, patches: Image, inside: Mask) -> PatchReading:
        """patches, inside: (n, rows, columns) as `patch_spec` says -> points and spreads in patch pixels."""
        ...

    def sd_px(self, spread_px: Float) -> Float:
        """Standard deviations, in patch pixels, of points whose distributions are `spread_px` wide."""
        ...


class FilmViewReader(Protocol):
    """Says what a picture is: lateral or not, which part of the body, which way up and which way facing."""

    def read(self, image: Image, inside: Mask) -> FilmView: ...


class FreshClassifier(Protocol):
    """Says of fractured vertebrae on lateral films whether the fracture is fresh. For research; off by default."""

    @property
    def crop_spec(self) -> CropSpec: ...

    def read(self, crops: Image, inside: Mask) -> Float:
        """crops, inside: (n, pixels, pixels) from `spine.film_crop.crop_vertebra` -> (n,) P(fresh | fractured)."""
        ...


@dataclass(frozen=True)
class FilmModels:
    """The film networks of a release. view: None in a release that takes every film for a lateral one, head up.
    grade_calibration: what the probabilities that follow from the measured heights are worth. fresh: only where a site
    has switched it on. endplates: None in a release whose detector's points are measured as they are."""

    locator: FilmLocator
    detector: FilmVertebraDetector
    view: FilmViewReader | None
    grade_calibration: GradeCalibration
    fresh: FreshClassifier | None = None
    endplates: FilmEndplateReader | None = None
