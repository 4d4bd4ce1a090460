"""A second look at each vertebra of a film: the endplates read on its own patch, in place of the detector's points.

Belongs here: placing patches on the picture, refusing a reading that has left the vertebra or a wall that was not seen.
Does not belong here: patches (spine.film_patches), reading one (models.film_endplates), when a reading is refused
(spine.patches: as on CT).

A vertebra cut by the picture's edge has no endplate to see and keeps the detector's points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.upright import UprightFilm
from vfscreen.models.film_ports import FilmEndplateReader
from vfscreen.models.ports import Detection
from vfscreen.spine.film_patches import FilmPatchFrame, sample_film_patches
from vfscreen.spine.film_strip import FilmStrip
from vfscreen.spine.patches import is_same_body, unseen_corners

Float = NDArray[np.float64]

DOUBT_DEPTHS = 0.1
"""Where the distribution of a corner is wider than this share of the body's depth along its wall, the wall was not
seen: the detector's corners of that wall stand in, and the doubt stays. As 3 mm of a CT's body."""


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
    whole = [i for i, points in enumerate(places) if bool(upright.contains(points).all())]
    if not whole:
        return found
    frames = [FilmPatchFrame.of(places[i], reader.patch_spec) for i in whole]
    reading = reader.read(*sample_film_patches(upright.image, upright.inside, frames))
    for n, (i, frame) in enumerate(zip(whole, frames, strict=True)):
        pixels, sd = reading.points[n].copy(), reader.sd_px(reading.spread[n])
        unseen = unseen_corners(sd, DOUBT_DEPTHS * frame.spec.body_depth_px)
        before = frame.from_px(places[i])
        pixels[unseen] = before[unseen]
        if is_same_body(pixels, before):
            scale = frame.px_a_patch_px / float(strip.px_a_strip_px(found[i].centre))
            points = strip.from_px(frame.to_px(pixels))
            found[i] = replace(found[i], keypoints=points, keypoint_sd_mm=sd * scale)
    return found
