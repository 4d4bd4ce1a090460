"""The picture by which a reader verifies a series' findings at a glance.

Belongs here: the layout of that picture. Does not belong here: a film's (film_overlay), drawing tools (canvas), how
findings are written (marks), findings (screening), where the picture is kept (lake).

Left: the straightened sagittal view through the middle of the column, head up, front to the left, with the six points
and three heights of every vertebra, and the border of the region whose density was measured. Beside each: level, grade,
heights, loss, uncertainty, HU (in brackets where it counts for nothing). Right: each flagged vertebra enlarged, once
plain and once with its points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vfscreen.density.result import SeriesDensity, VertebraDensity
from vfscreen.report.canvas import REGION, font, grey_image
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
from vfscreen.schema.names import FocalLesion
from vfscreen.screening.result import ScreeningResult, Vertebra
from vfscreen.spine.straighten import StraightenedSlab

Float = NDArray[np.float64]

_SCALE_MIN, _SCALE_MAX = 2.0, 5.0
_TABLE_PX = 620
_DETAIL_MM = (58.0, 46.0)
_DETAIL_SCALE = 5.0
_HU_X = 408


@dataclass(frozen=True)
class _View:
    """A crop of the slab's middle plane on the canvas. Pixels of the slab -> pixels of the canvas."""

    slab: StraightenedSlab
    row: float
    column: float
    rows: float
    columns: float
    scale: float  # canvas pixels per slab pixel
    x: int
    y: int

    @property
    def size(self) -> tuple[int, int]:
        return round(self.columns * self.scale), round(self.rows * self.scale)

    def paste(self, canvas: Image.Image) -> None:
        middle = int(np.argmin(np.abs(self.slab.spec.plane_offsets_mm)))
        hu, inside = self.slab.hu[middle], self.slab.inside[middle]
        r0, c0 = round(self.row), round(self.column)
        r = np.clip(np.arange(r0, r0 + round(self.rows)), 0, hu.shape[0] - 1)
        c = np.clip(np.arange(c0, c0 + round(self.columns)), 0, hu.shape[1] - 1)
        canvas.paste(grey_image(hu[np.ix_(r, c)], inside[np.ix_(r, c)], self.size), (self.x, self.y))

    def at(self, row_column: Float) -> tuple[float, float]:
        """(row, column) -> (x, y); whole numbers are pixel centres."""
        return (
            self.x + (float(row_column[1]) - round(self.column) + 0.5) * self.scale,
            self.y + (float(row_column[0]) - round(self.row) + 0.5) * self.scale,
        )


def draw_overlay(result: ScreeningResult, title: str, flagged_grade_min: int = 1) -> bytes:
    """PNG of a screened series.

    title: one line; pseudonymous identifiers only, since pictures travel. flagged_grade_min: vertebrae from this
    headline grade on are enlarged, the highest loss first where there are too many.
    """
    slab = result.slab
    px = slab.spec.pixel_mm
    rows, columns = slab.hu.shape[1:]
    scale = float(np.clip(HEIGHT_PX / (rows * px), _SCALE_MIN, _SCALE_MAX))
    overview = _View(slab, 0, 0, rows, columns, scale * px, MARGIN_PX, HEAD_PX)
    shown, left_out = flagged(result.vertebrae, flagged_grade_min)
    details, width, height = _detail_views(slab, shown, overview)
    canvas = new_canvas(width, height)
    draw = ImageDraw.Draw(canvas)
    overview.paste(canvas)
    draw_head(draw, title, result.patient, result.vertebrae, _density_summary(result.density))
    _frame_of_reference(draw, overview)
    for vertebra in result.vertebrae:
        _mark(draw, overview, vertebra, arm=4.0, uncertainty=False)
    _table(draw, overview, result.vertebrae)
    draw_enlargements(canvas, details, lambda view, v: _mark(draw, view, v, arm=6.0, uncertainty=True), left_out)
    return png(canvas)


def _detail_views(
    slab: StraightenedSlab, shown: Sequence[Vertebra], overview: _View
) -> tuple[list[tuple[Vertebra, _View, _View]], int, int]:
    """(vertebra, plain crop, crop to mark) in columns beside the table, and the canvas' width and height."""
    left = overview.x + overview.size[0] + _TABLE_PX
    px = slab.spec.pixel_mm
    rows, columns = _DETAIL_MM[1] / px, _DETAIL_MM[0] / px
    scale = _DETAIL_SCALE * px

    def crop(vertebra: Vertebra, x: int, y: int) -> _View:
        row, column = slab.from_lps(vertebra.centre_lps_mm)[:2]
        return _View(slab, row - rows / 2, column - columns / 2, rows, columns, scale, x, y)

    block = round(columns * scale), round(rows * scale)
    return enlargements(shown, crop, block, left, HEAD_PX + overview.size[1] + FOOT_PX)


def _mark(draw: ImageDraw.ImageDraw, view: _View, vertebra: Vertebra, arm: float, uncertainty: bool) -> None:
    """Points and heights; in enlargements also a circle of two standard deviations about each point."""
    colour = colour_of(vertebra)
    if vertebra.keypoints_lps_mm is None:
        draw_unmeasured(draw, view.at(view.slab.from_lps(vertebra.centre_lps_mm)[:2]), colour)
        return
    if (outline := vertebra.density.outline_lps_mm) is not None:
        border = [view.at(p[:2]) for p in view.slab.from_lps(outline)]
        draw.line([*border, border[0]], fill=REGION, width=1)
    points = [view.at(p[:2]) for p in view.slab.from_lps(vertebra.keypoints_lps_mm)]
    radii = None
    if uncertainty and vertebra.keypoint_sd_mm is not None:
        radii = [2 * float(sd) * view.scale / view.slab.spec.pixel_mm for sd in vertebra.keypoint_sd_mm]
    mark_body(draw, points, colour, arm, radii)


def _density_summary(density: SeriesDensity) -> str:
    phase = "contrast unknown"
    if density.contrast_phase is not None:
        phase = f"{density.contrast_phase.value.replace('_', ' ')} ({density.contrast_phase_probability:.2f})"
    if density.reference_hu is None:
        return f"{phase};   no reference density"
    levels = "+".join(density.reference_levels)
    if density.reference_hu_corrected is None or density.category is None:
        return f"{phase};   {levels} {density.reference_hu:.0f} HU, not corrected"
    corrected = f"corrected {density.reference_hu_corrected:.0f} HU: {density.category.value.replace('_', ' ')}"
    return f"{phase};   {levels} {density.reference_hu:.0f} HU, {corrected}"


def _attenuation(density: VertebraDensity) -> str:
    """Raw mean and spread; in brackets where something speaks against it."""
    if density.trabecular_hu_mean is None:
        return ""
    value = f"{density.trabecular_hu_mean:.0f}±{density.trabecular_hu_sd:.0f} HU"
    lesion = "" if density.focal_lesion in (None, FocalLesion.NONE) else f" {density.focal_lesion.value}?"
    return (value if density.valid else f"({value})") + lesion


def _frame_of_reference(draw: ImageDraw.ImageDraw, view: _View) -> None:
    """Anterior, posterior, a ruler of 50 mm, and what the view is."""
    draw_sides(draw, view, "A", "P")
    draw_ruler(draw, view, view.scale / view.slab.spec.pixel_mm)
    draw_note(
        draw, view, "Straightened along the spine; sagittal, middle plane. Quantitative screening, to be verified."
    )


def _table(draw: ImageDraw.ImageDraw, view: _View, vertebrae: Sequence[Vertebra]) -> None:
    """Two lines a vertebra at its height, kept from overlapping, with a leader to the body."""
    x = view.x + view.size[0] + 26
    wanted = [view.at(view.slab.from_lps(v.centre_lps_mm)[:2])[1] for v in vertebrae]
    for vertebra, y_body, y in zip(vertebrae, wanted, apart(wanted, 36.0), strict=True):
        draw.line((x - 24, y_body, x - 6, y), fill=colour_of(vertebra), width=1)
        detail = ""
        if vertebra.heights_mm is not None and vertebra.height_sd_mm is not None:
            detail = measurements(vertebra.heights_mm, vertebra.height_sd_mm, "mm", vertebra)
        table_entry(draw, vertebra, x, y, detail, "volume")
        draw.text((x + _HU_X, y - 15), _attenuation(vertebra.density), font=font(13), fill=REGION)
