"""Patches of single vertebrae of a radiograph, aligned with the body and scaled to its depth, and where they lie.

Belongs here: the frame of a patch, sampling it from a film. Does not belong here: the whole column's strip
(film_strip), patches of a CT (patches), reading a patch (models.film_endplates).

Row 0 superior, column 0 anterior, whichever way the patient faces. A body of any level, film and magnification is as
deep as `body_depth_px` says; a fracture takes height, not depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.spine.film_strip import sample_film
from vfscreen.spine.patches import body_axes

Float = NDArray[np.float64]


@dataclass(frozen=True)
class FilmPatchSpec:
    """What an endplate network expects of its patches of films; part of a weight card.

    body_depth_px: pixels from the anterior to the posterior wall.
    """

    rows: int = 96
    columns: int = 96
    body_depth_px: float = 52.0

    @property
    def middle(self) -> Float:
        """(2,) row and column of the patch's centre."""
        return np.array([(self.rows - 1) / 2, (self.columns - 1) / 2])


def has_extent(points_px: Float) -> bool:
    """Whether six points (6, 2) are at least a pixel apart along the body's depth and across it: they can be framed."""
    depth = body_axes(points_px)[1]
    length = float(np.linalg.norm(depth))
    return length >= 1.0 and abs(float(np.array([depth[1], -depth[0]]) @ _height(points_px))) >= length


def _height(points_px: Float) -> Float:
    """(2,) from the superior to the inferior endplate, their three points' mean."""
    points = np.asarray(points_px, dtype=np.float64)
    return np.asarray((points[1::2] - points[0::2]).mean(axis=0))


@dataclass(frozen=True, eq=False)
class FilmPatchFrame:
    """Where a patch lies on a film. origin_px: (2,) its centre. down, back: (2,) unit vectors along rows and columns.
    px_a_patch_px: pixels of the film a pixel of the patch."""

    origin_px: Float
    down: Float
    back: Float
    px_a_patch_px: float
    spec: FilmPatchSpec

    @classmethod
    def of(cls, points_px: Float, spec: FilmPatchSpec) -> FilmPatchFrame:
        """The frame of a body by its six points (6, 2), (row, column) pixels of the film.

        Raises ValueError where the points have no depth or no height: nothing says which way the body lies.
        """
        origin, depth = body_axes(points_px)
        if not has_extent(points_px):
            raise ValueError("the walls or the endplates coincide")
        length = float(np.linalg.norm(depth))
        back = depth / length
        down = np.array([back[1], -back[0]])
        return cls(origin, down * np.sign(down @ _height(points_px)), back, length / spec.body_depth_px, spec)

    def to_px(self, row_column: Float) -> Float:
        """(..., 2) patch pixels -> (..., 2) pixels of the film."""
        offset = (np.asarray(row_column, dtype=np.float64) - self.spec.middle) * self.px_a_patch_px
        return np.asarray(self.origin_px + offset[..., 0:1] * self.down + offset[..., 1:2] * self.back)

    def from_px(self, row_column: Float) -> Float:
        """(..., 2) pixels of the film -> (..., 2) patch pixels."""
        offset = np.asarray(row_column, dtype=np.float64) - self.origin_px
        along = np.stack([offset @ self.down, offset @ self.back], axis=-1)
        return np.asarray(along / self.px_a_patch_px + self.spec.middle)

    def grid(self) -> Float:
        """(rows, columns, 2) pixels of the film under the patch's pixels."""
        return self.to_px(np.moveaxis(np.indices((self.spec.rows, self.spec.columns), dtype=np.float64), 0, -1))


def sample_film_patches(
    image: NDArray[np.float32], inside: NDArray[np.bool_], frames: Sequence[FilmPatchFrame]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The patches of frames of one spec: (n, rows, columns) values of the film, 0 where there is no picture, and
    whether there is one. n is at least 1."""
    sampled = [sample_film(image, inside, frame.grid(), frame.px_a_patch_px) for frame in frames]
    return np.stack([s[0] for s in sampled]), np.stack([s[1] for s in sampled])
