"""A second look at each vertebra: the endplates read on its own patch, in place of the detector's points.

Belongs here: placing patches, standing by the detector where a reading is refused. Does not belong here: patches and
when a reading is refused (spine.patches), reading one (models.endplates).

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
from vfscreen.spine.patches import PatchFrame, is_same_body, sample_patches, unseen_corners
from vfscreen.spine.straighten import StraightenedSlab

Float = NDArray[np.float64]

DOUBT_MM = 3.0
"""Where the distribution of a corner is wider than this along its wall, the wall was not seen: an osteophyte, noise.
The detector's corners of that wall stand in, and the doubt stays. A middle is never taken back: it is there that the
detector misses a dent."""


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
        unseen, detected_px = unseen_corners(sd_mm, DOUBT_MM), frame.from_lps(before.keypoints_lps_mm)
        pixels[unseen] = detected_px[unseen]
        points = BodyPoints(frame.to_lps(pixels), pixels * frame.pixel_mm, sd_mm)
        read.append(points if is_same_body(pixels, detected_px) else None)
    return read
