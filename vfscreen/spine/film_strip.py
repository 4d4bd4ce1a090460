"""Straighten a radiograph along the spine's course, in units of the local body height, and map pixels back.

Belongs here: the strip's sampling grid and its two-way map. Does not belong here: the course (film_course), finding it
or reading the strip (models). Training and the screening chain cut their strips here, so they cannot differ.

A strip is hung as a slab of CT is (spine.straighten): row 0 superior, column 0 anterior, whichever way the patient
faced. A vertebra of any level, film and magnification is about `pixels_a_body_height` rows tall.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from vfscreen.spine.film_course import FilmCourse

Float = NDArray[np.float64]


@dataclass(frozen=True)
class StripSpec:
    """What a network expects of its strip; part of a weight card. Lengths in local body heights.

    anterior, posterior: extent before and behind the course. margin: how far the strip goes beyond both its ends.
    """

    pixels_a_body_height: float = 32.0
    anterior: float = 1.75
    posterior: float = 2.25
    margin: float = 1.5

    @property
    def columns(self) -> int:
        return round((self.anterior + self.posterior) * self.pixels_a_body_height)

    def rows(self, course: FilmCourse) -> int:
        return round((course.length + 2 * self.margin) * self.pixels_a_body_height)


@dataclass(frozen=True, eq=False)
class FilmStrip:
    """image: float32 (rows, columns), the film's own values, 0 where there is no film. inside: bool, same shape: was
    there a pixel of the patient's picture? Strip coordinates are (row, column), fractions allowed."""

    image: NDArray[np.float32]
    inside: NDArray[np.bool_]
    course: FilmCourse
    spec: StripSpec

    def to_course(self, row_column: Float) -> Float:
        """(..., 2) strip coordinates -> (..., 2) course coordinates (u, v), local body heights."""
        origin = np.array([self.spec.margin, self.spec.anterior])
        return np.asarray(np.asarray(row_column, dtype=np.float64) / self.spec.pixels_a_body_height - origin)

    def to_px(self, row_column: Float) -> Float:
        """(..., 2) strip coordinates -> (..., 2) pixels of the film (row, column)."""
        return self.course.to_px(self.to_course(row_column))

    def from_px(self, row_column: Float) -> Float:
        """(..., 2) pixels of the film -> (..., 2) strip coordinates; see `FilmCourse.from_px`."""
        origin = np.array([self.spec.margin, self.spec.anterior])
        return np.asarray((self.course.from_px(row_column) + origin) * self.spec.pixels_a_body_height)

    def px_a_strip_px(self, row_column: Float) -> Float:
        """(...) how many pixels of the film a pixel of the strip is, at strip coordinates (..., 2)."""
        u = self.to_course(row_column)[..., 0]
        return np.asarray(self.course.frame_at(u)[3] / self.spec.pixels_a_body_height)


def straighten_film(
    image: NDArray[np.float32], inside: NDArray[np.bool_], course: FilmCourse, spec: StripSpec
) -> FilmStrip:
    """Sample a film along `course` (bilinear, after blurring away what the strip's pixels cannot hold).

    image: (H, W) float32. inside: (H, W) bool, False where padding, shutter or collimation hides the patient.
    """
    at = strip_grid(course, spec, -spec.margin, spec.rows(course))
    scale = float(np.median(course.body_height_px)) / spec.pixels_a_body_height
    sampled, known = sample_film(image, inside, at, scale)
    return FilmStrip(sampled, known, course, spec)


def strip_grid(course: FilmCourse, spec: StripSpec, first_u: float, rows: int) -> Float:
    """(rows, columns, 2) pixels of the film under `rows` rows of a strip that begins at `first_u` body heights."""
    u = np.arange(rows, dtype=np.float64) / spec.pixels_a_body_height + first_u
    v = np.arange(spec.columns, dtype=np.float64) / spec.pixels_a_body_height - spec.anterior
    place, _, posterior, height = course.frame_at(u)
    return np.asarray(place[:, None, :] + (v[None, :] * height[:, None])[..., None] * posterior[:, None, :])


def sample_film(
    image: NDArray[np.float32], inside: NDArray[np.bool_], at_px: Float, scale: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A film's values at pixels (..., 2) and whether there is a picture there; 0 and False outside.

    scale: pixels of the film between two samples; above 1 the film is blurred first, over what `at_px` covers.
    """
    size = np.array(image.shape, dtype=np.float64)
    known = np.asarray(((at_px >= -0.5) & (at_px <= size - 0.5)).all(axis=-1))
    if not known.any():
        return np.zeros(at_px.shape[:-1], dtype=np.float32), known
    pad = int(np.ceil(2 * scale)) + 2
    low = np.clip(np.floor(at_px[known].min(axis=0)).astype(int) - pad, 0, None)
    high = np.minimum(np.ceil(at_px[known].max(axis=0)).astype(int) + pad + 1, image.shape)
    window = image[low[0] : high[0], low[1] : high[1]]
    if scale > 1.0:
        window = gaussian_filter(window, 0.5 * np.sqrt(scale**2 - 1.0))
    place = np.moveaxis(np.clip(at_px, 0.0, size - 1.0) - low, -1, 0)
    values = map_coordinates(window, place, order=1, output=np.float32, mode="nearest")
    nearest = np.clip(np.rint(at_px), 0, size - 1).astype(np.intp)
    known &= inside[nearest[..., 0], nearest[..., 1]]
    return np.where(known, values, np.float32(0.0)), known
