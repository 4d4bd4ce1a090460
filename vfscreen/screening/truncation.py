"""Is a vertebra cut by the edge of the volume, or of the film?

Belongs here: geometry of a body against what was pictured. Does not belong here: what follows (measure, film_measure).

Lengths are mm and positions LPS mm on a CT, (row, column) pixels on a film: one unit for whatever a call is given.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.volume import Volume

Float = NDArray[np.float64]

PADDING_HU = -1010
"""CT: what lies below this over all of PADDING_REACH_MM is no lung, no trachea and no gas in a disc, but padding."""
PADDING_REACH_MM = (2.0, 6.0)
"""Beyond an endplate: a disc and its neighbour's endplate, or nothing that was pictured."""
NEAR_FACE_MM = 3.0
"""CT: an endplate this near to the edge may be the edge itself, read as an endplate."""
FITS_SHARE = 0.85
"""A body shorter than this share of the expected height (3 sd of normal) is short enough to ask why."""


class Pictured(Protocol):
    """What was pictured of the patient: a volume or a film."""

    def contains(self, positions: Float, margin: float = 0.0, /) -> NDArray[np.bool_]:
        """Whether each position (..., D) lies inside, at least `margin` from the edge."""
        ...


def is_truncated(pictured: Pictured, keypoints: Float, margin: float) -> bool:
    """Whether any of the six points (6, D) lies outside what was pictured or within `margin` of its edge.

    Each height is looked at a margin beyond its two ends, too: the outer cortex of an endplate must be in the picture.
    """
    superior, inferior = keypoints[0::2], keypoints[1::2]
    along = superior - inferior
    length = np.linalg.norm(along, axis=1, keepdims=True)
    outward = along / np.where(length > 1e-6, length, 1.0) * margin
    points = np.concatenate([superior + outward, inferior - outward, keypoints])
    inside = pictured.contains(points)
    return not bool(inside.all() and pictured.contains(keypoints, margin).all())


def ends_in_padding(volume: Volume, keypoints_lps_mm: Float) -> bool:
    """Whether padding follows on an endplate, in front, in the middle or behind: the scan ended there, the volume not.

    Oblique and sagittal reformats, tilted stacks and round fields of view are padded to a box with values that no
    tissue has. keypoints_lps_mm: (6, 3).
    """
    superior, inferior = keypoints_lps_mm[0::2], keypoints_lps_mm[1::2]
    along = superior - inferior
    along = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    beyond = np.linspace(*PADDING_REACH_MM, 5)[:, None, None]
    at = np.concatenate([superior + beyond * along, inferior - beyond * along], axis=1)  # (5, 6, 3)
    ijk = np.clip(np.rint(volume.to_ijk(at)), 0, np.array(volume.shape_ijk) - 1).astype(np.intp)
    inside = volume.contains(at)
    padded = inside & (volume.hu[ijk[..., 2], ijk[..., 1], ijk[..., 0]] < PADDING_HU)
    # padding may end at the volume's edge; the edge alone is a matter of `is_truncated`: a body near it may be whole
    return bool(((padded | ~inside).all(axis=0) & padded.any(axis=0)).any())


def is_cut_short(pictured: Pictured, keypoints: Float, expected_height: float, reach: float) -> bool:
    """Whether a body ends at the edge of the picture where a whole one, of the expected height, would go on.

    A network asked for six points gives six, so those of a cut body lie on the edge. True where an endplate lies within
    `reach` of the edge and a body of FITS_SHARE of the expected posterior height, measured from the other endplate,
    does not fit into the picture.
    """
    superior, inferior = keypoints[0::2].mean(axis=0), keypoints[1::2].mean(axis=0)
    along = superior - inferior
    length = float(np.linalg.norm(along))
    if length < 1e-6:
        return False
    for near, far in ((superior, inferior), (inferior, superior)):
        direction = (near - far) / length
        at_edge = not bool(pictured.contains(near + reach * direction))
        fits = bool(pictured.contains(far + FITS_SHARE * expected_height * direction))
        if at_edge and not fits:
            return True
    return False
