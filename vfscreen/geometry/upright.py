"""A radiograph turned upright and made square: the picture that networks look at, and the way back to the stored one.

Belongs here: quarter turns, pixels that are not square, and the map between the two pictures. Does not belong here:
which way a picture must be turned (models), the spine's own course (spine.film_course).

Pixels of an upright picture are as long as the film's rows are apart, both ways, so that a length on it may be compared
with any other length on it. Positions are (row, column), pixel centres at integers, in both pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from vfscreen.geometry.radiograph import Radiograph

Float = NDArray[np.float64]

SQUARE_WITHIN = 0.005
"""Pixels whose sides differ by less than this share are taken for square: rounded headers, and less than any height's
repeat error."""


@dataclass(frozen=True, eq=False)
class UprightFilm:
    """image: float32 and inside: bool, (rows, columns), head up once `quarter_turns` is right.

    quarter_turns: counter-clockwise (numpy.rot90) from the stored picture. stretch: upright columns per stored column
    before turning. stored_shape: (rows, columns) of the stored picture.
    """

    image: NDArray[np.float32]
    inside: NDArray[np.bool_]
    quarter_turns: int
    stretch: float
    stored_shape: tuple[int, int]

    @classmethod
    def of(cls, film: Radiograph, rotation_deg: int = 0) -> UprightFilm:
        """The film with its pixels made square (where its spacing says that they are not), turned counter-clockwise.

        ValueError for a rotation that is not a whole number of quarter turns.
        """
        if rotation_deg % 90:
            raise ValueError(f"a picture is turned by quarter turns, not by {rotation_deg} degrees")
        image, inside, stretch = film.image, film.inside, 1.0
        if film.pixel_spacing_mm is not None:
            row_mm, column_mm = film.pixel_spacing_mm
            if abs(column_mm / row_mm - 1.0) > SQUARE_WITHIN:
                columns = max(round(film.shape[1] * column_mm / row_mm), 1)
                stretch = columns / film.shape[1]
                image = zoom(image, (1.0, stretch), order=1, mode="nearest", grid_mode=True)
                inside = zoom(inside, (1.0, stretch), order=0, mode="nearest", grid_mode=True)
        turns = rotation_deg // 90 % 4
        return cls(
            np.ascontiguousarray(np.rot90(image, turns)),
            np.ascontiguousarray(np.rot90(inside, turns)),
            turns,
            stretch,
            film.shape,
        )

    def to_stored(self, row_column: Float) -> Float:
        """(..., 2) positions on this picture -> (..., 2) on the stored one."""
        rows, columns = self.image.shape
        r, c = np.moveaxis(np.asarray(row_column, dtype=np.float64), -1, 0)
        for _ in range(self.quarter_turns):  # one quarter back, clockwise
            r, c = c, rows - 1.0 - r
            rows, columns = columns, rows
        return np.stack([r, (c + 0.5) / self.stretch - 0.5], axis=-1)

    def from_stored(self, row_column: Float) -> Float:
        """(..., 2) positions on the stored picture -> (..., 2) on this one."""
        r, c = np.moveaxis(np.asarray(row_column, dtype=np.float64), -1, 0)
        c = (c + 0.5) * self.stretch - 0.5
        columns = self.image.shape[1] if self.quarter_turns % 2 == 0 else self.image.shape[0]
        rows = self.image.shape[0] if self.quarter_turns % 2 == 0 else self.image.shape[1]
        for _ in range(self.quarter_turns):
            r, c = columns - 1.0 - c, r
            rows, columns = columns, rows
        return np.stack([r, c], axis=-1)

    def contains(self, row_column: Float, margin_px: float = 0.0) -> NDArray[np.bool_]:
        """Whether each (..., 2) position shows the patient, and so does everything `margin_px` around it.

        Looked at in eight directions: a border (of the film, a shutter, a collimator) is smooth at that scale.
        """
        points = np.asarray(row_column, dtype=np.float64)
        around = [np.zeros(2)]
        if margin_px > 0:
            angle = np.arange(8) * (np.pi / 4)
            around += list(margin_px * np.stack([np.sin(angle), np.cos(angle)], axis=1))
        shown = np.ones(points.shape[:-1], dtype=bool)
        upper = np.array(self.inside.shape) - 0.5
        for offset in around:
            at = points + offset
            within = ((at >= -0.5) & (at <= upper)).all(axis=-1)
            nearest = np.clip(np.rint(at), 0, np.array(self.inside.shape) - 1).astype(np.intp)
            shown &= within & self.inside[nearest[..., 0], nearest[..., 1]]
        return shown
