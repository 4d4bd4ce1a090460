"""A second look at each vertebra: the endplates read on its own patch, in place of the detector's points.

Belongs here: placing patches, refusing a reading that has left the vertebra or a wall that was not seen. Does not
belong here: patches (spine.patches), reading one (models.endplates).

The detector regresses points on a 1 mm slab and draws a collapsed body towards the shape of a normal one; on a patch
scaled to the body the endplates are seen, not guessed. A vertebra cut by the volume's edge has no endplate to see and
keeps the detector's points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.volume import Volume
from vfscreen.models.ports import Detection, EndplateReader
from vfscreen.spine.patches import PatchFrame, body_axes, sample_patches
from vfscreen.spine.straighten import StraightenedSlab

Float = NDArray[np.float64]

DOUBT_MM = 3.0
"""Where the distribution of a corner is wider than this along its wall, the wall was not seen: an osteophyte, noise.
The detector's corners of that wall stand in, and the doubt stays. A middle is never taken back: it is there that the
detector misses a dent."""
WALLS = ((0, 1), (4, 5))
"""The corners of the anterior and of the posterior wall among KEYPOINTS."""
REACH_DEPTHS = 0.35
"""A reading whose centre lies farther than this share of the body's depth from the detector's is of something else."""
DEPTH_RANGE = (0.7, 1.4)
"""Nor can a body's depth differ from the detector's by more than this: a fracture takes height, not depth."""


@dataclass(frozen=True, eq=False)
class BodyPoints:
    """The six points of one vertebra and their uncertainty.

    keypoints_lps_mm: (6, 3). plane_mm: (6, 2) the same points in the plane they were read in, along its rows and
    columns. sd_mm: (6, 2) standard deviations along the same two directions.
    """

    keypoints_lps_mm: Float
    plane_mm: Float
    sd_mm: Float


def read_points(
    volume: Volume,
    slab: StraightenedSlab,
    detections: Sequence[Detection],
    left_mm: Sequence[float] | Float,
    reader: EndplateReader | None,
) -> list[BodyPoints]:
    """The points of every detection, on its own mid-sagittal plane `left_mm` to the left of the slab's middle one.

    Without a reader, or where its reading is refused, the detector's.
    """
    points = [
        BodyPoints(slab.to_lps(d.keypoints, float(left)), d.keypoints * slab.spec.pixel_mm, d.keypoint_sd_mm)
        for d, left in zip(detections, left_mm, strict=True)
    ]
    if reader is None:
        return points
    whole = [i for i, p in enumerate(points) if bool(volume.contains(p.keypoints_lps_mm).all())]
    lefts = [_left(slab, detections[i], float(left_mm[i])) for i in whole]
    for i, read in zip(whole, _read(volume, [points[i] for i in whole], lefts, reader), strict=True):
        if read is not None:
            points[i] = read
    return points


def _left(slab: StraightenedSlab, detection: Detection, left_mm: float) -> Float:
    """(3,) unit vector to the patient's left, normal to the plane the detection was read in."""
    return slab.to_lps(detection.centre, left_mm + 1.0) - slab.to_lps(detection.centre, left_mm)


def _read(
    volume: Volume, detected: Sequence[BodyPoints], lefts: Sequence[Float], reader: EndplateReader
) -> list[BodyPoints | None]:
    """One reading a vertebra, None where it is refused."""
    if not detected:
        return []
    frames = [
        PatchFrame.of(points.keypoints_lps_mm, left, reader.patch_spec)
        for points, left in zip(detected, lefts, strict=True)
    ]
    reading = reader.read(sample_patches(volume, frames))
    read: list[BodyPoints | None] = []
    for n, (frame, before) in enumerate(zip(frames, detected, strict=True)):
        pixels, sd_mm = reading.points[n].copy(), reader.sd_mm(reading.spread[n], frame.pixel_mm)
        unseen = [k for wall in WALLS if sd_mm[list(wall), 0].max() > DOUBT_MM for k in wall]
        pixels[unseen] = frame.from_lps(before.keypoints_lps_mm)[unseen]
        points = BodyPoints(frame.to_lps(pixels), pixels * frame.pixel_mm, sd_mm)
        read.append(points if _is_same_body(points, before) else None)
    return read


def _is_same_body(points: BodyPoints, detected: BodyPoints) -> bool:
    """Whether a reading is of the vertebra that was detected, its endplates the right way up."""
    superior, inferior = points.plane_mm[0::2, 0], points.plane_mm[1::2, 0]
    if not bool((superior < inferior).all()):
        return False
    (centre, axis), (expected, depth) = body_axes(points.keypoints_lps_mm), body_axes(detected.keypoints_lps_mm)
    length = float(np.linalg.norm(depth))
    share = float(axis @ depth) / length**2
    near = float(np.linalg.norm(centre - expected)) <= REACH_DEPTHS * length
    return near and DEPTH_RANGE[0] <= share <= DEPTH_RANGE[1]
