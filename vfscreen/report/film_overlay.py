"""The picture by which a reader verifies a film's findings at a glance.

Belongs here: the layout of that picture. Does not belong here: a CT's (overlay), drawing tools (canvas), how findings
are written (marks), findings (screening), where the picture is kept (lake).

Left: the film, head up, around the column that was located, with the six points and three heights of every vertebra.
Beside each: level, grade, heights, loss, uncertainty. Right: each flagged vertebra enlarged, once plain and once with
its points. The film itself is not straightened: a reader knows films as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vfscreen.geometry.radiograph import Radiograph
from vfscreen.geometry.upright import UprightFilm
from vfscreen.report.canvas import film_grey
from vfscreen.report.layout import (
    FOOT_PX,
    HEAD_PX,
    HEIGHT_PX,
    MARGIN_PX,
    draw_enlargements,
    draw_head,
    draw_note,
    draw_ruler,
    draw_sides,
    draw_unmeasured,
    enlargements,
    new_canvas,
    png,
)
from vfscreen.report.marks import apart, colour_of, flagged, mark_body, measurements, table_entry
from vfscreen.screening.film_result import FilmResult, FilmVertebra, PictureReading

Float = NDArray[np.float64]

_WIDTH_MAX_PX = 900
_SCALE_MAX = 6.0
_TABLE_PX = 520
_AROUND = 3.0
"""Body heights of picture shown around the column."""
_DETAIL = (2.7, 2.1)
"""Width and height of an enlargement, in body heights."""
_DETAIL_PX = 290
"""Its width on the canvas."""


@dataclass(frozen=True)
class _View:
    """A crop of the upright film on the canvas. grey: shades of the whole film."""

    grey: NDArray[np.uint8]
    row: int
    column: int
    rows: int
    columns: int
    scale: float  # canvas pixels per film pixel
    x: int
    y: int

    @property
    def size(self) -> tuple[int, int]:
        return max(round(self.columns * self.scale), 1), max(round(self.rows * self.scale), 1)

    def paste(self, canvas: Image.Image) -> None:
        """What the crop shows beyond the film is black."""
        shown = np.zeros((self.rows, self.columns), dtype=np.uint8)
        height, width = self.grey.shape
        r0, r1 = max(self.row, 0), min(self.row + self.rows, height)
        c0, c1 = max(self.column, 0), min(self.column + self.columns, width)
        if r0 < r1 and c0 < c1:
            shown[r0 - self.row : r1 - self.row, c0 - self.column : c1 - self.column] = self.grey[r0:r1, c0:c1]
        picture = Image.fromarray(shown).resize(self.size, Image.Resampling.BICUBIC)
        canvas.paste(picture.convert("RGB"), (self.x, self.y))

    def at(self, row_column: Float) -> tuple[float, float]:
        """(row, column) on the upright film -> (x, y)."""
        return (
            self.x + (float(row_column[1]) - self.column + 0.5) * self.scale,
            self.y + (float(row_column[0]) - self.row + 0.5) * self.scale,
        )


def draw_film_overlay(film: Radiograph, result: FilmResult, title: str, flagged_grade_min: int = 1) -> bytes:
    """PNG of a screened film.

    title: one line; pseudonymous identifiers only, since pictures travel (a film's burnt-in text is shown where it lies
    near the column). flagged_grade_min: vertebrae from this headline grade on are enlarged.
    """
    upright = UprightFilm.of(film, result.picture.rotation_deg or 0)
    course = upright.from_stored(result.course_px)
    body_px = _body_px(result)
    grey = film_grey(upright.image, upright.inside, 2.5 * body_px)
    overview = _overview(grey, upright, course, body_px)
    shown, left_out = flagged(result.vertebrae, flagged_grade_min)
    details, width, height = _detail_views(grey, upright, shown, body_px, overview)
    canvas = new_canvas(width, height)
    draw = ImageDraw.Draw(canvas)
    overview.paste(canvas)
    draw_head(draw, title, result.patient, result.vertebrae, _picture_summary(result.picture))
    _frame_of_reference(draw, overview, film, result)
    for vertebra in result.vertebrae:
        _mark(draw, overview, upright, vertebra, arm=4.0, uncertainty=False)
    _table(draw, overview, upright, result.vertebrae)
    draw_enlargements(
        canvas, details, lambda view, v: _mark(draw, view, upright, v, arm=6.0, uncertainty=True), left_out
    )
    return png(canvas)


def _body_px(result: FilmResult) -> float:
    heights = [float(v.heights_px.max()) for v in result.vertebrae if v.heights_px is not None]
    if heights:
        return max(float(np.median(heights)), 4.0)
    return 20.0 if result.strip is None else float(np.median(result.strip.course.body_height_px))


def _overview(grey: NDArray[np.uint8], upright: UprightFilm, course: Float, body_px: float) -> _View:
    rows, columns = upright.image.shape
    around = _AROUND * body_px
    low, high = course.min(axis=0) - around, course.max(axis=0) + around
    r0, c0 = (max(int(v), 0) for v in low)
    r1, c1 = min(int(high[0]) + 1, rows), min(int(high[1]) + 1, columns)
    scale = min(HEIGHT_PX / max(r1 - r0, 1), _WIDTH_MAX_PX / max(c1 - c0, 1), _SCALE_MAX)
    return _View(grey, r0, c0, r1 - r0, c1 - c0, scale, MARGIN_PX, HEAD_PX)


def _detail_views(
    grey: NDArray[np.uint8], upright: UprightFilm, shown: Sequence[FilmVertebra], body_px: float, overview: _View
) -> tuple[list[tuple[FilmVertebra, _View, _View]], int, int]:
    """(vertebra, plain crop, crop to mark) in columns beside the table, and the canvas' width and height."""
    left = overview.x + overview.size[0] + _TABLE_PX
    columns, rows = (max(round(share * body_px), 8) for share in _DETAIL)
    scale = _DETAIL_PX / columns

    def crop(vertebra: FilmVertebra, x: int, y: int) -> _View:
        row, column = upright.from_stored(vertebra.centre_px)
        corner = round(float(row) - rows / 2), round(float(column) - columns / 2)
        return _View(grey, *corner, rows, columns, scale, x, y)

    block = _DETAIL_PX, round(rows * scale)
    return enlargements(shown, crop, block, left, max(HEAD_PX + overview.size[1] + FOOT_PX, 300))


def _mark(
    draw: ImageDraw.ImageDraw, view: _View, upright: UprightFilm, vertebra: FilmVertebra, arm: float, uncertainty: bool
) -> None:
    """Points and heights; in enlargements also a circle of two standard deviations about each point."""
    colour = colour_of(vertebra)
    if vertebra.keypoints_px is None:
        draw_unmeasured(draw, view.at(upright.from_stored(vertebra.centre_px)), colour)
        return
    points = [view.at(p) for p in upright.from_stored(vertebra.keypoints_px)]
    radii = None
    if uncertainty and vertebra.keypoint_sd_px is not None:
        radii = [2 * float(sd) * view.scale for sd in vertebra.keypoint_sd_px]
    mark_body(draw, points, colour, arm, radii)


def _picture_summary(picture: PictureReading) -> str:
    turned = f";   turned by {picture.rotation_deg} degrees" if picture.rotation_deg else ""
    if picture.view is None:
        return f"view not read{turned}"
    region = "" if picture.body_region is None else picture.body_region.value.replace("_", " ")
    return (
        f"{picture.view.value} ({picture.view_probability or 0:.2f}), "
        f"{region} ({picture.body_region_probability or 0:.2f}){turned}"
    )


def _frame_of_reference(draw: ImageDraw.ImageDraw, view: _View, film: Radiograph, result: FilmResult) -> None:
    """Anterior, posterior, a ruler of 50 mm where a pixel is known to be so much, and what the view is."""
    if result.strip is not None:
        draw_sides(draw, view, *("PA" if result.strip.course.anterior_is_right else "AP"))
    note = "Lateral film; contrast raised for looking. Quantitative screening, to be verified."
    if film.patient_spacing_mm is None:
        note += "  Not calibrated: ratios, no millimetres."
    else:
        draw_ruler(draw, view, view.scale / film.patient_spacing_mm[0])
    draw_note(draw, view, note)


def _table(draw: ImageDraw.ImageDraw, view: _View, upright: UprightFilm, vertebrae: Sequence[FilmVertebra]) -> None:
    """Two lines a vertebra at its height, kept from overlapping, with a leader to the body."""
    x = view.x + view.size[0] + 26
    bodies = [view.at(upright.from_stored(v.centre_px)) for v in vertebrae]
    for vertebra, (x_body, y_body), y in zip(vertebrae, bodies, apart([b[1] for b in bodies], 36.0), strict=True):
        draw.line((min(x_body + 40, x - 24), y_body, x - 24, y_body), fill=(60, 64, 70), width=1)
        draw.line((x - 24, y_body, x - 6, y), fill=colour_of(vertebra), width=1)
        table_entry(draw, vertebra, x, y, _detail(vertebra), "film")


def _detail(vertebra: FilmVertebra) -> str:
    if vertebra.heights_mm is not None and vertebra.height_sd_mm is not None:
        return measurements(vertebra.heights_mm, vertebra.height_sd_mm, "mm", vertebra)
    if vertebra.heights_px is not None and vertebra.height_sd_px is not None:
        return measurements(vertebra.heights_px, vertebra.height_sd_px, "px", vertebra)
    return ""
