"""How both pictures of findings are laid out: head, sides and ruler, enlargements in columns.

Belongs here: what a CT's picture and a film's have in the same place. Does not belong here: what each shows (overlay,
film_overlay), how findings are written (marks), drawing tools (canvas).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vfscreen.report.canvas import BACKGROUND, FAINT, TEXT, Colour, font
from vfscreen.report.marks import (
    AnyVertebra,
    colour_of,
    count_summary,
    finding,
    label_of,
    patient_summary,
)
from vfscreen.screening.film_result import FilmVertebra
from vfscreen.screening.result import PatientSummary, Vertebra

Float = NDArray[np.float64]
Point = tuple[float, float]

HEIGHT_PX = 1150
HEAD_PX = 94
FOOT_PX = 30
MARGIN_PX = 14
_TITLE_PX = 22
_GAP_PX = 8


class View(Protocol):
    """A crop of a picture on the canvas, its corner at (x, y)."""

    @property
    def x(self) -> int: ...

    @property
    def y(self) -> int: ...

    @property
    def size(self) -> tuple[int, int]:
        """Width and height on the canvas."""

    def paste(self, canvas: Image.Image) -> None: ...

    def at(self, row_column: Float) -> Point:
        """(row, column) of the picture -> (x, y) of the canvas."""


V = TypeVar("V", Vertebra, FilmVertebra)
W = TypeVar("W", bound=View)


def enlargements(
    shown: Sequence[V], crop: Callable[[V, int, int], W], block: tuple[int, int], left: int, height: int
) -> tuple[list[tuple[V, W, W]], int, int]:
    """(vertebra, plain crop, crop to mark) in columns from `left` on, and the canvas' width and height.

    crop: a vertebra's, with its corner at (x, y). block: width and height of one crop. height: what the rest needs.
    """
    block_w, block_h = 2 * block[0] + _GAP_PX + MARGIN_PX, block[1] + 34
    height = max(height, HEAD_PX + block_h + FOOT_PX)
    fit = max(1, (height - HEAD_PX - FOOT_PX) // block_h)
    details = []
    for n, vertebra in enumerate(shown):
        x, y = left + (n // fit) * block_w, HEAD_PX + _TITLE_PX + (n % fit) * block_h
        details.append((vertebra, crop(vertebra, x, y), crop(vertebra, x + block[0] + _GAP_PX, y)))
    return details, left + -(-len(shown) // fit) * block_w + MARGIN_PX, height


def draw_enlargements(
    canvas: Image.Image, details: Sequence[tuple[V, W, W]], mark: Callable[[W, V], None], left_out: int
) -> None:
    """Each flagged vertebra twice under its name and grade; below, how many more there would be."""
    draw = ImageDraw.Draw(canvas)
    for vertebra, plain, marked in details:
        plain.paste(canvas)
        marked.paste(canvas)
        mark(marked, vertebra)
        draw.text((plain.x, plain.y - 20), label_of(vertebra), font=font(15, bold=True), fill=colour_of(vertebra))
        draw.text((plain.x + 110, plain.y - 19), finding(vertebra), font=font(13), fill=TEXT)
    if left_out:
        note = f"{left_out} more flagged vertebrae are not enlarged"
        draw.text((canvas.width - 330, canvas.height - 22), note, font=font(12), fill=FAINT)


def new_canvas(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), BACKGROUND)


def png(canvas: Image.Image) -> bytes:
    stream = io.BytesIO()
    canvas.save(stream, "PNG", compress_level=4)
    return stream.getvalue()


def draw_head(
    draw: ImageDraw.ImageDraw, title: str, patient: PatientSummary, vertebrae: Sequence[AnyVertebra], last: str
) -> None:
    """Four lines: title, the patient's findings, how many vertebrae, and what only this kind of picture has to say."""
    draw.text((MARGIN_PX, 8), title, font=font(14), fill=FAINT)
    draw.text((MARGIN_PX, 30), patient_summary(patient), font=font(17, bold=True), fill=TEXT)
    draw.text((MARGIN_PX, 53), count_summary(vertebrae), font=font(13), fill=FAINT)
    draw.text((MARGIN_PX, 72), last, font=font(13), fill=FAINT)


def draw_sides(draw: ImageDraw.ImageDraw, view: View, left: str, right: str) -> None:
    """Letters at both edges of a view: where front and back are."""
    width, height = view.size
    draw.text((view.x + 4, view.y + height // 2), left, font=font(14, bold=True), fill=TEXT)
    draw.text((view.x + width - 16, view.y + height // 2), right, font=font(14, bold=True), fill=TEXT)


def draw_ruler(draw: ImageDraw.ImageDraw, view: View, px_per_mm: float) -> None:
    """50 mm, in the lower right corner of a view."""
    width, height = view.size
    x, y = view.x + width - 10, view.y + height - 12
    draw.line((x, y - 50.0 * px_per_mm, x, y), fill=TEXT, width=2)
    draw.text((x - 50, y - 14), "50 mm", font=font(12), fill=TEXT)


def draw_note(draw: ImageDraw.ImageDraw, view: View, note: str) -> None:
    """What a view is, below it."""
    draw.text((view.x, view.y + view.size[1] + 8), note, font=font(12), fill=FAINT)


def draw_unmeasured(draw: ImageDraw.ImageDraw, centre: Point, colour: Colour) -> None:
    """A stroke through a body that was found and not measured."""
    x, y = centre
    draw.line((x - 14, y, x + 14, y), fill=colour, width=2)
