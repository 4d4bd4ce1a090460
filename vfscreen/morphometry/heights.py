"""Heights of a vertebral body from its six key points, and their uncertainty.

Belongs here: distances. Does not belong here: what a height means (genant, reference).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

PARTS: tuple[str, ...] = ("anterior", "middle", "posterior")
"""Order of every (..., 3) array of heights."""


def body_heights_mm(keypoints_mm: Float) -> Float:
    """Anterior, middle and posterior height: 3D distances superior to inferior.

    keypoints_mm: (..., 6, 3) in the order of schema.names.KEYPOINTS, any Cartesian frame in mm. Returns (..., 3) mm,
    >= 0. A collapsed body gives heights near 0, which are heights like any other.
    Raises ValueError for another shape or for positions that are not finite.
    """
    points = np.asarray(keypoints_mm, dtype=np.float64)
    if points.ndim < 2 or points.shape[-2:] != (6, 3):
        raise ValueError(f"six key points of three coordinates are needed, not {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError("a key point is not finite")
    return np.asarray(np.linalg.norm(points[..., 0::2, :] - points[..., 1::2, :], axis=-1))


def height_sd_mm(keypoints_mm: Float, keypoint_sd_mm: Float) -> Float:
    """Standard deviation of the three heights, first order.

    keypoints_mm: (..., 6, D). keypoint_sd_mm: (..., 6, D), independent along the same D axes. Only what lies along a
    height changes it, so each point counts with its sd in that direction. Where a height is so small that
    it has no direction, the larger axis counts. Returns (..., 3).
    """
    points = np.asarray(keypoints_mm, dtype=np.float64)
    sd = np.asarray(keypoint_sd_mm, dtype=np.float64)
    along = points[..., 0::2, :] - points[..., 1::2, :]
    length = np.linalg.norm(along, axis=-1, keepdims=True)
    variance = sd[..., 0::2, :] ** 2 + sd[..., 1::2, :] ** 2
    has_direction = length[..., 0] > 1e-6
    direction = along / np.where(length > 1e-6, length, 1.0)
    projected = np.sum(direction**2 * variance, axis=-1)
    return np.asarray(np.sqrt(np.where(has_direction, projected, variance.max(axis=-1))))
