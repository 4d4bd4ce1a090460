"""A CT volume in patient coordinates and the arithmetic of its affine.

Belongs here: voxel <-> LPS mm. Does not belong here: reading files (ingest), curves (geometry.curve).

Conventions, everywhere: positions are DICOM LPS (x to the patient's Left, y to Posterior, z to Superior), in mm.
Arrays are indexed [k, j, i] (slice, row, column); an affine maps the column vector (i, j, k, 1) to LPS mm,
so that `i` runs along the DICOM row direction. This is ITK's convention.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

AIR_HU = -1024
"""HU given to pixels outside the scanned field (pixel padding) and to samples outside a volume."""


@dataclass(frozen=True, eq=False)
class Volume:
    """One CT volume.

    hu: int16, shape (K, J, I), Hounsfield units. Padding is `AIR_HU`.
    affine_lps: float64 (4, 4), (i, j, k, 1) -> LPS mm. Any orientation and handedness; columns need not be
        orthogonal only in the sense that a corrected gantry tilt keeps its shear here instead of in the pixels.
    """

    hu: NDArray[np.int16]
    affine_lps: Float

    @cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Length of one step along i, j, k in mm."""
        norms = np.linalg.norm(self.affine_lps[:3, :3], axis=0)
        return float(norms[0]), float(norms[1]), float(norms[2])

    @cached_property
    def inverse_affine(self) -> Float:
        """LPS mm -> (i, j, k, 1)."""
        return np.asarray(np.linalg.inv(self.affine_lps), dtype=np.float64)

    @property
    def shape_ijk(self) -> tuple[int, int, int]:
        k, j, i = self.hu.shape
        return i, j, k

    def to_lps(self, ijk: Float) -> Float:
        """(..., 3) voxel coordinates (i, j, k) -> (..., 3) LPS mm. Voxel centres are whole numbers."""
        return transform(self.affine_lps, ijk)

    def to_ijk(self, lps_mm: Float) -> Float:
        """(..., 3) LPS mm -> (..., 3) voxel coordinates (i, j, k)."""
        return transform(self.inverse_affine, lps_mm)

    def contains(self, lps_mm: Float, margin_mm: float = 0.0) -> NDArray[np.bool_]:
        """Whether each (..., 3) position lies inside the volume, at least `margin_mm` from its faces.

        The faces are half a voxel outside the outermost voxel centres.
        """
        ijk = self.to_ijk(np.asarray(lps_mm, dtype=np.float64))
        upper = np.asarray(self.shape_ijk, dtype=np.float64)
        # distance of a point to a face, per mm along the face's normal, is a row norm of the inverse
        margin = margin_mm * np.linalg.norm(self.inverse_affine[:3, :3], axis=1)
        inside = (ijk >= -0.5 + margin) & (ijk <= upper - 0.5 - margin)
        return np.asarray(inside.all(axis=-1))

    @cached_property
    def bounds_lps_mm(self) -> tuple[Float, Float]:
        """Lowest and highest LPS coordinate of any voxel centre: two arrays of shape (3,)."""
        last = np.asarray(self.shape_ijk, dtype=np.float64) - 1
        corners = np.array(np.meshgrid(*[(0.0, v) for v in last], indexing="ij")).reshape(3, -1).T
        lps = self.to_lps(corners)
        return lps.min(axis=0), lps.max(axis=0)


def transform(matrix: Float, points: Float) -> Float:
    """Apply a (4, 4) affine to (..., 3) points."""
    return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3], dtype=np.float64)
