"""A second look at each vertebra of a film: the endplates read on its own patch, with the detector's points.

Belongs here: placing patches on the picture, weighing both looks. Does not belong here: patches (spine.film_patches),
reading one (models.film_endplates), when a reading is refused (spine.patches: as on CT).

A vertebra cut by the picture's edge has no endplate to see, one whose points coincide no place for a patch: both keep
the detector's points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.upright import UprightFilm
from vfscreen.models.endplates import CORNERS
from vfscreen.models.film_ports import FilmEndplateReader
from vfscreen.models.ports import Detection
from vfscreen.spine.film_patches import FilmPatchFrame, has_extent, sample_film_patches
from vfscreen.spine.film_strip import FilmStrip
from vfscreen.spine.patches import is_same_body

Float = NDArray[np.float64]

DETECTOR_DEPTHS = 0.06
"""What a detector's corner is off by, as a share of the body's depth, besides what it states. A corner is the mean of
both looks, each weighed by its variance: where a wall was not seen (shoulders, pelvis, metal) the detector's place,
which it took from the whole strip, counts. A middle is the second look's alone: there a detector misses a dent."""


def refined(
    upright: UprightFilm, strip: FilmStrip, detections: Sequence[Detection], reader: FilmEndplateReader | None
) -> list[Detection]:
    """The same detections with the points and deviations, in strip pixels, that their own patches show.

    Without a reader, or where its reading is refused, the detector's.
    """
    found = list(detections)
    if reader is None:
        return found
    places = [strip.to_px(d.keypoints) for d in found]
    whole = [i for i, points in enumerate(places) if has_extent(points) and bool(upright.contains(points).all())]
    if not whole:
        return found
    frames = [FilmPatchFrame.of(places[i], reader.patch_spec) for i in whole]
    reading = reader.read(*sample_film_patches(upright.image, upright.inside, frames))
    for n, (i, frame) in enumerate(zip(whole, frames, strict=True)):
        before, sd = frame.from_px(places[i]), reader.sd_px(reading.spread[n])
        scale = frame.px_a_patch_px / float(strip.px_a_strip_px(found[i].centre))
        detected_sd = np.hypot(found[i].keypoint_sd_mm / scale, DETECTOR_DEPTHS * frame.spec.body_depth_px)
        pixels = reading.points[n].copy()
        share = detected_sd[CORNERS] ** 2 / (detected_sd[CORNERS] ** 2 + sd[CORNERS] ** 2)
        pixels[CORNERS] = share * pixels[CORNERS] + (1.0 - share) * before[CORNERS]
        if is_same_body(pixels, before):
            points = strip.from_px(frame.to_px(pixels))
            found[i] = replace(found[i], keypoints=points, keypoint_sd_mm=sd * scale)
    return found
