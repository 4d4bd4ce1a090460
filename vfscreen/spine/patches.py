"""Patches of single vertebrae, aligned with the body and scaled to its depth, and where their pixels lie.

Belongs here: the frame of a patch, sampling it from a volume, when a reading on a patch is of the body it was cut for.
Does not belong here: the whole column's slab (spine.straighten), reading a patch (models.endplates), films
(film_patches).

A patch is flat: its planes are sagittal planes of the vertebra, side by side from the patient's right to left, row 0
superior, column 0 anterior. A body of any level is as deep as `body_depth_px` says, so that a network sees T4 and L4
alike; a fracture takes height, not depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from vfscreen.geometry.volume import AIR_HU, Volume

Float = NDArray[np.float64]

WALLS = ((0, 1), (4, 5))
"""The corners of the anterior and of the posterior wall among KEYPOINTS."""
REACH_DEPTHS = 0.35
"""A reading whose centre lies farther than this share of the body's depth from the detector's is of something else."""
DEPTH_RANGE = (0.7, 1.4)
"""Nor can a body's depth differ from the detector's by more than this: a fracture takes height, not depth."""


@dataclass(frozen=True)
class PatchSpec:
    """What an endplate network expects of its patches; part of a weight card.

    body_depth_px: pixels from the anterior to the posterior wall; the pixel that follows is held within
    [pixel_min_mm, pixel_max_mm]. plane_offsets_mm: towards the patient's left.
    """

    rows: int = 96
    columns: int = 96
    body_depth_px: float = 60.0
    pixel_min_mm: float = 0.3
    pixel_max_mm: float = 0.65
    plane_offsets_mm: tuple[float, ...] = (-6.0, -3.0, 0.0, 3.0, 6.0)

    def pixel_mm(self, depth_mm: float) -> float:
        """The pixel for a body of this depth."""
        return float(np.clip(depth_mm / self.body_depth_px, self.pixel_min_mm, self.pixel_max_mm))

    @property
    def middle(self) -> Float:
        """(2,) row and column of the patch's centre."""
        return np.array([(self.rows - 1) / 2, (self.columns - 1) / 2])


def body_axes(keypoints: Float) -> tuple[Float, Float]:
    """Centre and depth vector of a body: (6, D) points in the order of KEYPOINTS -> (D,) the corners' mean, and (D,)
    from the middle of the anterior wall to that of the posterior one."""
    points = np.asarray(keypoints, dtype=np.float64)
    front, back = points[0:2].mean(axis=0), points[4:6].mean(axis=0)
    return (front + back) / 2, back - front


def unseen_corners(sd: Float, doubt: float) -> list[int]:
    """Corners, among the six points, of walls that were not seen: one of whose distributions is wider than `doubt`
    along the wall: an osteophyte, noise. sd: (6, 2). A middle is never among them: it is there that a detector misses
    a dent."""
    return [k for wall in WALLS if sd[list(wall), 0].max() > doubt for k in wall]


def is_same_body(plane: Float, detected: Float) -> bool:
    """Whether a reading is of the vertebra that was detected, its endplates the right way up.

    plane, detected: (6, 2) points along rows and columns of one patch, in one unit.
    """
    if not bool((plane[0::2, 0] < plane[1::2, 0]).all()):
        return False
    (centre, axis), (expected, depth) = body_axes(plane), body_axes(detected)
    length = float(np.linalg.norm(depth))
    share = float(axis @ depth) / length**2
    near = float(np.linalg.norm(centre - expected)) <= REACH_DEPTHS * length
    return near and DEPTH_RANGE[0] <= share <= DEPTH_RANGE[1]


@dataclass(frozen=True, eq=False)
class PatchFrame:
    """Where a patch lies. origin_lps_mm: (3,) its centre. down, back, left: (3,) unit vectors along rows, columns and
    planes."""

    origin_lps_mm: Float
    down: Float
    back: Float
    left: Float
    pixel_mm: float
    spec: PatchSpec

    @classmethod
    def of(cls, keypoints_lps_mm: Float, left: Float, spec: PatchSpec) -> PatchFrame:
        """The frame of a body by its six points (6, 3); `left` (3,) is normal to the sagittal plane they lie in.

        Raises ValueError where the points have no depth: no direction leads from the anterior to the posterior wall.
        """
        origin, depth = body_axes(keypoints_lps_mm)
        left = np.asarray(left, dtype=np.float64) / np.linalg.norm(left)
        back = depth - left * (depth @ left)
        length = float(np.linalg.norm(back))
        if length < 1.0:
            raise ValueError("the anterior and the posterior wall coincide")
        back = back / length
        return cls(origin, np.cross(back, left), back, left, spec.pixel_mm(length), spec)

    def to_lps(self, row_column: Float) -> Float:
        """(..., 2) patch pixels -> (..., 3) LPS mm on the middle plane."""
        mm = (np.asarray(row_column, dtype=np.float64) - self.spec.middle) * self.pixel_mm
        return np.asarray(self.origin_lps_mm + mm[..., 0:1] * self.down + mm[..., 1:2] * self.back)

    def from_lps(self, lps_mm: Float) -> Float:
        """(..., 3) LPS mm -> (..., 2) patch pixels of their projections onto the middle plane."""
        offset = np.asarray(lps_mm, dtype=np.float64) - self.origin_lps_mm
        return np.asarray(
            np.stack([offset @ self.down, offset @ self.back], axis=-1) / self.pixel_mm + self.spec.middle
        )


def sample_patches(volume: Volume, frames: Sequence[PatchFrame]) -> NDArray[np.float32]:
    """The patches of frames of one spec: (n, planes, rows, columns) HU, trilinear; AIR_HU outside the volume."""
    return np.stack([_sample(volume, frame) for frame in frames])


def _sample(volume: Volume, frame: PatchFrame) -> NDArray[np.float32]:
    """Runs of evenly spaced planes are one affine resampling each."""
    spec = frame.spec
    offsets = np.asarray(spec.plane_offsets_mm)
    step = float(offsets[1] - offsets[0]) if len(offsets) > 1 else 1.0
    if not np.allclose(np.diff(offsets), step):
        raise ValueError("the planes of a patch must be evenly spaced")
    to_kji = volume.inverse_affine[:3, :3][::-1]
    axes = np.stack([frame.down * frame.pixel_mm, frame.back * frame.pixel_mm, frame.left * step], axis=1)
    corner = frame.to_lps(np.zeros(2)) + offsets[0] * frame.left
    # planes innermost: those of one place lie in the same cache line
    hu = affine_transform(
        volume.hu,
        to_kji @ axes,
        offset=volume.to_ijk(corner)[::-1],
        output_shape=(spec.rows, spec.columns, len(offsets)),
        order=1,
        output=np.float32,
        cval=AIR_HU,
        prefilter=False,
    )
    return np.moveaxis(hu, -1, 0)
