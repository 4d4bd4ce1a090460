"""The part of a film that shutters, collimator and padding leave in view.

Belongs here: masks from the attributes of Display Shutter (DICOM PS3.3 C.7.6.11) and X-Ray Collimator (C.8.7.3), and
edges without any content. Does not belong here: collimation that no header tells and no plain edge shows (models).
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset

from vfscreen.ingest.attributes import number, numbers, words

Mask = NDArray[np.bool_]
T = TypeVar("T")

_VISIBLE_SHARE_MIN = 0.02
"""A shutter that leaves less than this is a mistake of its writer, and is not applied."""


def shutter_mask(dataset: Dataset, shape: tuple[int, int]) -> tuple[Mask | None, list[str]]:
    """bool (rows, columns), False behind a shutter or the collimator, or None where there is neither; and remarks on
    those that make no sense and were not applied.

    Positions in the header count pixels from 1, row before column; edges are still in view. Several shapes of one
    shutter hide together. A bitmap shutter (an overlay) is not applied: it belongs to presentation states.
    """
    visible: Mask | None = None
    remarks: list[str] = []
    for kind in ("Shutter", "Collimator"):
        for name in words(dataset, f"{kind}Shape"):
            try:
                mask = _SHAPES[name](dataset, kind, shape)
            except (KeyError, ValueError) as error:
                remarks.append(f"{kind} {name} is not applied: {error}")
                continue
            together = mask if visible is None else visible & mask
            if together.mean() < _VISIBLE_SHARE_MIN:
                remarks.append(f"{kind} {name} would hide the film and is not applied")
            else:
                visible = together
    return visible, remarks


def plain_edges(image: NDArray[np.float32], tolerance: float = 0.0) -> Mask | None:
    """bool (rows, columns), False on whole rows and columns at the edges that hold one shade only, or None.

    tolerance: a row counts as plain up to this difference between its lowest and highest value (compression noise).
    What is inside is a rectangle; an edge that is only partly plain stays in view.
    """
    edges = image[0], image[-1], image[:, 0], image[:, -1]
    if all(np.ptp(edge) > tolerance for edge in edges):
        return None
    rows, columns = image.shape
    top, bottom, left, right = 0, rows, 0, columns
    while True:
        before = top, bottom, left, right
        if bottom <= top or right <= left:
            return None  # all of it is plain: not an edge
        inner = image[top:bottom, left:right]
        plain_rows = np.ptp(inner, axis=1) <= tolerance
        top, bottom = top + _leading(plain_rows), bottom - _leading(plain_rows[::-1])
        if bottom <= top:
            return None
        plain_columns = np.ptp(image[top:bottom, left:right], axis=0) <= tolerance
        left, right = left + _leading(plain_columns), right - _leading(plain_columns[::-1])
        if (top, bottom, left, right) == before:
            break
    if (top, bottom, left, right) == (0, rows, 0, columns):
        return None
    mask = np.zeros(image.shape, dtype=np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def _leading(flags: NDArray[np.bool_]) -> int:
    """How many of the first flags are set."""
    return int(flags.size if flags.all() else flags.argmin())


def _rectangle(dataset: Dataset, kind: str, shape: tuple[int, int]) -> Mask:
    """Edges are columns (left, right) and rows (upper, lower), counted from 1."""
    left, right = (_needed(number(dataset, f"{kind}{side}VerticalEdge"), side) for side in ("Left", "Right"))
    upper, lower = (_needed(number(dataset, f"{kind}{side}HorizontalEdge"), side) for side in ("Upper", "Lower"))
    mask = np.zeros(shape, dtype=np.bool_)
    rows = slice(max(0, math.ceil(upper) - 1), max(0, math.floor(lower)))
    mask[rows, max(0, math.ceil(left) - 1) : max(0, math.floor(right))] = True
    return mask


def _circle(dataset: Dataset, kind: str, shape: tuple[int, int]) -> Mask:
    """Centre as row, column; the radius counts pixels along a row, so that pixels which are not square make an
    ellipse."""
    centre = _needed(numbers(dataset, f"CenterOfCircular{kind}"), "centre")
    radius = _needed(number(dataset, f"RadiusOfCircular{kind}"), "radius")
    if len(centre) != 2:
        raise ValueError(f"its centre has {len(centre)} coordinates")
    spacing = numbers(dataset, "ImagerPixelSpacing") or numbers(dataset, "PixelSpacing") or [1.0, 1.0]
    aspect = spacing[0] / spacing[1] if len(spacing) == 2 and min(spacing) > 0 else 1.0
    rows, columns = np.ogrid[1 : shape[0] + 1, 1 : shape[1] + 1]
    return np.asarray(((rows - centre[0]) * aspect) ** 2 + (columns - centre[1]) ** 2 <= radius**2)


def _polygon(dataset: Dataset, kind: str, shape: tuple[int, int]) -> Mask:
    """Vertices as row, column, row, column, ...; the last is joined to the first."""
    values = _needed(numbers(dataset, f"VerticesOfThePolygonal{kind}"), "vertices")
    if len(values) < 6 or len(values) % 2:
        raise ValueError(f"{len(values)} coordinates make no polygon")
    picture = Image.new("1", (shape[1], shape[0]))
    points = [(x - 1, y - 1) for y, x in zip(values[::2], values[1::2], strict=True)]
    ImageDraw.Draw(picture).polygon(points, fill=1, outline=1)
    return np.array(picture, dtype=np.bool_)


_SHAPES = {"RECTANGULAR": _rectangle, "CIRCULAR": _circle, "POLYGONAL": _polygon}


def _needed(value: T | None, name: str) -> T:
    if value is None:
        raise ValueError(f"no sound {name.lower()}")
    return value
