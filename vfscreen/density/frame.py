"""A vertebral body's own frame, from its six key points.

Belongs here: axes, walls and endplates of a body. Does not belong here: which part of it is measured (region), pixels.

Local coordinates are (u, v, w) in mm from the mean of the six points: u to the patient's left, v to the back, w to the
head. The key points lie on the mid-sagittal plane, so u is its normal: a rotated or tilted vertebra keeps its own
region, and a mirrored patient has a mirrored frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.volume import Volume

Float = NDArray[np.float64]

EXTENT_MIN_MM = 4.0
"""A body whose points span less than this, in depth or in height, has no frame to speak of."""


@dataclass(frozen=True, eq=False)
class BodyFrame:
    """origin_lps_mm: (3,). axes: (3, 3), rows are u, v, w as unit vectors in LPS.

    front_mm, back_mm: v of the anterior and the posterior wall, the nearer one where the two corners differ.
    superior, inferior: (3,) coefficients of w = a v^2 + b v + c through the three points of an endplate.
    """

    origin_lps_mm: Float
    axes: Float
    front_mm: float
    back_mm: float
    superior: Float
    inferior: Float

    @property
    def depth_mm(self) -> float:
        return self.back_mm - self.front_mm

    def superior_w(self, v: Float) -> Float:
        """w of the superior endplate at positions v of any shape."""
        return _parabola(self.superior, v)

    def inferior_w(self, v: Float) -> Float:
        """w of the inferior endplate."""
        return _parabola(self.inferior, v)

    def to_lps(self, uvw: Float) -> Float:
        """(..., 3) local -> (..., 3) LPS mm."""
        return np.asarray(np.asarray(uvw, dtype=np.float64) @ self.axes + self.origin_lps_mm)

    def reach_mm(self, volume: Volume) -> Float:
        """(3,) how far a voxel reaches from its centre along u, v, w."""
        return np.asarray(0.5 * np.abs(self.axes @ volume.affine_lps[:3, :3]).sum(axis=1))


def body_frame(keypoints_lps_mm: Float) -> BodyFrame | None:
    """Frame of a body from its (6, 3) key points in the order of schema.names.KEYPOINTS; None of a collapsed one, whose
    points fix no frame."""
    points = np.asarray(keypoints_lps_mm, dtype=np.float64)
    origin = points.mean(axis=0)
    back = 0.5 * (points[4] + points[5]) - 0.5 * (points[0] + points[1])
    up = (points[0::2] - points[1::2]).mean(axis=0)
    depth = float(np.linalg.norm(back))
    if depth < EXTENT_MIN_MM:
        return None
    v = back / depth
    up = up - v * float(up @ v)
    height = float(np.linalg.norm(up))
    if height < EXTENT_MIN_MM:
        return None
    w = up / height
    u = np.cross(v, w)  # back x head = left
    local = (points - origin) @ np.stack([u, v, w]).T
    superior, inferior = (np.polyfit(local[i::2, 1], local[i::2, 2], 2) for i in (0, 1))
    front = float(max(local[0, 1], local[1, 1]))
    rear = float(min(local[4, 1], local[5, 1]))
    if rear - front < EXTENT_MIN_MM:
        return None
    return BodyFrame(origin, np.stack([u, v, w]), front, rear, superior, inferior)


def _parabola(coefficients: Float, v: Float) -> Float:
    a, b, c = coefficients
    return np.asarray((a * v + b) * v + c)
