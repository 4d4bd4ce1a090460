"""How pictures write and mark findings: labels, grades, probabilities, colours; the same on a CT and on a film.

Belongs here: words and marks that several pictures share. Does not belong here: drawing tools (canvas), layouts
(layout, overlay, film_overlay).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw

from vfscreen.report.canvas import CUT, GRADES, TEXT, Colour, circle, cross, font
from vfscreen.screening.film_result import FilmVertebra
from vfscreen.screening.result import PatientSummary, Vertebra

Float = NDArray[np.float64]
AnyVertebra = Vertebra | FilmVertebra
V = TypeVar("V", Vertebra, FilmVertebra)

DETAILS_MAX = 8
"""Vertebrae that are enlarged at most, the highest loss first."""


def flagged(vertebrae: Sequence[V], grade_min: int) -> tuple[list[V], int]:
    """The vertebrae to be enlarged, in their order, and how many flagged ones that leaves out."""
    every = [v for v in vertebrae if v.genant_grade is not None and v.genant_grade >= grade_min]
    worst = sorted(every, key=lambda v: -(v.height_loss_ratio_adjusted or 0.0))[:DETAILS_MAX]
    return [v for v in every if v in worst], max(len(every) - DETAILS_MAX, 0)


def colour_of(vertebra: AnyVertebra) -> Colour:
    return CUT if vertebra.genant_grade is None else GRADES[vertebra.genant_grade]


def label_of(vertebra: AnyVertebra) -> str:
    """The level, with a question mark where nothing in view fixes the numbering."""
    level = vertebra.vertebra_level or "level ?"
    return level if vertebra.level_certain or vertebra.vertebra_level is None else f"{level}?"


def finding(vertebra: AnyVertebra) -> str:
    kind = "" if vertebra.deformity_type in (None, "none") else f" {vertebra.deformity_type}"
    return (
        f"grade {vertebra.genant_grade}{kind}, loss {_percent(vertebra.height_loss_ratio_adjusted)} "
        f"(raw {_percent(vertebra.height_loss_ratio_raw)})"
    )


def _percent(ratio: float | None) -> str:
    """For reading only, with a decimal so that nothing near a border looks like being on it."""
    return "-" if ratio is None else f"{100 * ratio:.1f} %"


def measurements(heights: Float, sd: Float, unit: str, vertebra: AnyVertebra) -> str:
    """Three heights with their uncertainty, and two probabilities."""
    parts = "  ".join(f"{part} {height:.1f}±{s:.1f}" for part, height, s in zip("AMP", heights, sd, strict=True))
    p = vertebra.grade2_probability
    return f"{parts} {unit}   P(≥2) {'-' if p is None else f'{p:.2f}'}   p(level) {vertebra.level_probability or 0:.2f}"


def patient_summary(patient: PatientSummary) -> str:
    if patient.max_genant_grade is None:
        return "no vertebra could be graded"
    sdi = "-" if patient.sdi is None else f"{patient.sdi} over {len(patient.sdi_levels_assessed)} of 13 levels"
    probability = patient.grade2_probability
    chance = "-" if probability is None else f"{probability:.2f}"
    return f"highest grade {patient.max_genant_grade}     P(any grade ≥ 2) {chance}     SDI {sdi}"


def count_summary(vertebrae: Sequence[AnyVertebra]) -> str:
    graded = sum(v.genant_grade is not None for v in vertebrae)
    certain = bool(vertebrae) and all(v.level_certain for v in vertebrae)
    numbering = "numbering fixed by a landmark" if certain else "numbering NOT certain (levels with ?)"
    return f"{len(vertebrae)} vertebrae, {graded} graded; {numbering}"


def mark_body(
    draw: ImageDraw.ImageDraw,
    points_xy: Sequence[tuple[float, float]],
    colour: Colour,
    arm: float,
    radii: Sequence[float] | None = None,
) -> None:
    """Six points on the canvas, the three heights between them, and circles of `radii` where given."""
    for superior, inferior in zip(points_xy[0::2], points_xy[1::2], strict=True):
        draw.line((*superior, *inferior), fill=colour, width=1)
    for i, (x, y) in enumerate(points_xy):
        cross(draw, x, y, arm, colour)
        if radii is not None:
            circle(draw, x, y, radii[i], colour)


def table_entry(draw: ImageDraw.ImageDraw, vertebra: AnyVertebra, x: float, y: float, detail: str, edge: str) -> None:
    """Two lines about a vertebra. detail: the second one, where it was graded. edge: of what it is cut, if it is."""
    colour = colour_of(vertebra)
    draw.text((x, y - 17), label_of(vertebra), font=font(16, bold=True), fill=colour)
    if vertebra.genant_grade is None:
        why = f"cut by the edge of the {edge}" if vertebra.truncated else "neck"
        draw.text((x + 62, y - 15), f"{why}: not graded", font=font(13), fill=CUT)
        return
    draw.text((x + 62, y - 15), finding(vertebra), font=font(13, vertebra.genant_grade > 0), fill=colour)
    draw.text((x + 62, y + 1), detail, font=font(12), fill=TEXT)


def apart(wanted: Sequence[float], distance: float) -> list[float]:
    """Positions near the wanted ones (ascending), at least `distance` apart."""
    placed: list[float] = []
    for y in wanted:
        placed.append(y if not placed else max(y, placed[-1] + distance))
    return placed
