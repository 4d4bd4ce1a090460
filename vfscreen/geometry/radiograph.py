"""A radiograph: what attenuated the beam, what of it is the patient, and what its pixels measure.

Belongs here: the value, its coordinates and its scale. Does not belong here: how it was decoded (ingest.film,
ingest.pictures), where the spine is on it (spine, models).

Positions on a film are pixels. Arrays use (row, column), pixel centres at integers, of the picture as it was stored:
nothing is turned or mirrored. Columns of tables and JSON use [x, y] = [column, row] of the same pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.schema.names import SpacingSource


@dataclass(frozen=True, eq=False)
class Radiograph:
    """A decoded film.

    image: float32 (rows, columns), larger = more attenuation (bone bright), whatever the photometric interpretation;
    linear in the stored values after the Modality LUT, neither clipped nor normalised, finite everywhere.
    inside: bool (rows, columns), False where padding, shutter or collimator hides the patient.
    pixel_spacing_mm: (between rows, between columns), or None. spacing_source: whose millimetres they are; of the
    patient only where it is `calibrated`.

    ValueError for shapes or values that contradict this.
    """

    image: NDArray[np.float32]
    inside: NDArray[np.bool_]
    pixel_spacing_mm: tuple[float, float] | None = None
    spacing_source: SpacingSource | None = None

    def __post_init__(self) -> None:
        if self.image.ndim != 2 or self.image.dtype != np.float32:
            raise ValueError(f"image is {self.image.dtype} of shape {self.image.shape}, not float32 (rows, columns)")
        if self.inside.shape != self.image.shape or self.inside.dtype != np.bool_:
            raise ValueError(f"inside is {self.inside.dtype} of shape {self.inside.shape}, image {self.image.shape}")
        if (self.pixel_spacing_mm is None) != (self.spacing_source is None):
            raise ValueError("pixel spacing and its source are given together or not at all")
        if self.pixel_spacing_mm is not None and not all(np.isfinite(s) and s > 0 for s in self.pixel_spacing_mm):
            raise ValueError(f"pixel spacing {self.pixel_spacing_mm} mm is no distance")

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        rows, columns = self.image.shape
        return rows, columns

    @property
    def height_calibrated(self) -> bool:
        """Whether distances on the film may be given in mm of the patient."""
        return self.spacing_source is SpacingSource.CALIBRATED

    @property
    def patient_spacing_mm(self) -> tuple[float, float] | None:
        """Pixel spacing in the patient (between rows, between columns); None without calibration."""
        return self.pixel_spacing_mm if self.height_calibrated else None


def to_xy(points: NDArray[np.floating]) -> list[list[float]]:
    """(N, 2) points as (row, column) -> [[x, y], ...] as tables and JSON give them."""
    return [[float(column), float(row)] for row, column in np.asarray(points, dtype=np.float64)]
