"""Square crops of a radiograph: around one vertebra, around a given box, or the whole film. Pure geometry.

Belongs here: which pixels a crop shows. Does not belong here: the column's strip (film_strip), values of pixels
(models.film_tone), what is read on a crop (models.fresh_classifier). Training and inference crop here, so they cannot
differ.

A crop around a vertebra hangs as every other picture of a spine here: row 0 superior, column 0 anterior, whichever way
the patient faced, the body upright. Its side is a multiple of the body's depth, since a fracture takes height.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.spine.film_strip import sample_film
from vfscreen.spine.patches import body_axes

Float = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class CropSpec:
    """What a classifier expects of its crops; part of a weight card.

    pixels: rows and columns. body_depths: the side, in depths of the vertebral body. box_sides: the side around a given
    box, in longer sides of the box.
    """

    pixels: int = 128
    body_depths: float = 2.0
    box_sides: float = 1.3

    def widened(self, room: float) -> CropSpec:
        """The same scale with more around: `room` times as large."""
        return CropSpec(round(self.pixels * room), self.body_depths * room, self.box_sides * room)


def crop_vertebra(image: Image, inside: Mask, keypoints_px: Float, spec: CropSpec) -> tuple[Image, Mask]:
    """One vertebra, upright, anterior to the left: values (pixels, pixels) and where they are the patient's picture.

    keypoints_px: (6, 2) row and column in the order of KEYPOINTS. Raises ValueError for a body without depth.
    """
    points = np.asarray(keypoints_px, dtype=np.float64)
    centre, back = body_axes(points)
    depth = float(np.linalg.norm(back))
    if depth <= 0:
        raise ValueError("a body whose anterior and posterior walls coincide has no depth to scale a crop by")
    back = back / depth
    down = np.array([back[1], -back[0]])
    if down @ (points[1::2].mean(axis=0) - points[0::2].mean(axis=0)) < 0:
        down = -down
    return _sample(image, inside, centre, down, back, spec.body_depths * depth, spec.pixels)


def crop_box(image: Image, inside: Mask, box: Sequence[float] | None, spec: CropSpec) -> tuple[Image, Mask]:
    """A square about a box (left, top, right, bottom) of pixels' edges, or the whole film where `box` is None.

    Nothing is turned or mirrored; a film's longer side fills the square.
    """
    if box is None:
        left, top, right, bottom = -0.5, -0.5, image.shape[1] - 0.5, image.shape[0] - 0.5
        side = max(right - left, bottom - top)
    else:
        left, top, right, bottom = box
        side = spec.box_sides * max(right - left, bottom - top)
    centre = np.array([(top + bottom) / 2, (left + right) / 2])
    return _sample(image, inside, centre, np.array([1.0, 0.0]), np.array([0.0, 1.0]), side, spec.pixels)


def _sample(
    image: Image, inside: Mask, centre: Float, down: Float, right: Float, side: float, pixels: int
) -> tuple[Image, Mask]:
    offsets = (np.arange(pixels) - (pixels - 1) / 2) * side / pixels
    at = centre + offsets[:, None, None] * down + offsets[None, :, None] * right
    return sample_film(image, inside, at, side / pixels)
