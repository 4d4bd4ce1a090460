"""Is a vertebra cut by the edge of the volume?

Belongs here: geometry of a body against the faces of the volume. Does not belong here: what follows (measure).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.volume import Volume

Float = NDArray[np.float64]

NEAR_FACE_MM = 3.0
"""An endplate this near to the edge may be the edge itself, read as an endplate."""
FITS_SHARE = 0.85
"""A body shorter than this share of the expected height (3 sd of normal) is short enough to ask why."""


def is_truncated(volume: Volume, keypoints_lps_mm: Float, margin_mm: float) -> bool:
    """Whether any of the six points (6, 3) lies outside the volume or within `margin_mm` of its edge.

    Each height is looked at a margin beyond its two ends, too: the outer cortex of an endplate must be in the picture.
    """
    superior, inferior = keypoints_lps_mm[0::2], keypoints_lps_mm[1::2]
    along = superior - inferior
    length = np.linalg.norm(along, axis=1, keepdims=True)
    outward = along / np.where(length > 1e-6, length, 1.0) * margin_mm
    points = np.concatenate([superior + outward, inferior - outward, keypoints_lps_mm])
    inside = volume.contains(points)
    return not bool(inside.all() and volume.contains(keypoints_lps_mm, margin_mm).all())


def is_cut_short(volume: Volume, keypoints_lps_mm: Float, expected_height_mm: float) -> bool:
    """Whether a body ends at the edge of the volume where a whole one, of the expected height, would go on.

    A network asked for six points gives six, so those of a cut body lie on the edge. True where an endplate lies within
    NEAR_FACE_MM (or a slice) of the edge and a body of FITS_SHARE of the expected posterior height, measured from the
    other endplate, does not fit into the volume.
    """
    superior, inferior = keypoints_lps_mm[0::2].mean(axis=0), keypoints_lps_mm[1::2].mean(axis=0)
    along = superior - inferior
    length = float(np.linalg.norm(along))
    if length < 1e-6:
        return False
    reach = max(NEAR_FACE_MM, *volume.spacing_mm)
    for near, far in ((superior, inferior), (inferior, superior)):
        direction = (near - far) / length
        at_edge = not bool(volume.contains(near + reach * direction))
        fits = bool(volume.contains(far + FITS_SHARE * expected_height_mm * direction))
        if at_edge and not fits:
            return True
    return False
