"""Height loss against what is normal at a level: the adjusted loss of the headline grade.

Belongs here: normal shapes and the loss against them. Does not belong here: where the patient's own reference height
comes from (neighbours), grades (genant).

The adjusted loss is the largest of three, for the reasons in docs/adr/0002-adjusted-loss.md:

- *shape*: each height divided by the one normal at that level (relative to the posterior), then 1 - min/max. Finds what
  a box-like view hides, such as an L5 whose front came down to the height of its back.
- *raw, unless explained*: of each pair of heights, the raw loss, except where a normal body of that level looks
  the same. So a finding of the raw index survives, and a normal L5 is none.
- *crush*: against the height the patient's other vertebrae let expect, once even the tallest part has lost height.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from vfscreen.morphometry.genant import MILD_LOSS, raw_height_loss

Float = NDArray[np.float64]

EXPLAIN_RAMP = 0.03
"""Ratio over which a raw loss passes from explained to not explained: the repeat error of a height ratio (two heights
of 0.9-1.3 % each, READING notes), so that the loss is continuous in the points."""

UNEXPLAINED_RATIO = 1.0 - MILD_LOSS
"""Where a level's normal range does not reach below this ratio, every raw loss of grade 1 or more stands in full."""

CRUSH_STARTS, CRUSH_COMPLETE = 0.15, 0.20
"""Loss of the tallest part below which the neighbours do not speak (more than 3 sd of normal posterior heights about
the patient's own curve, normal_shapes.yaml), and from which, a grade of its own, they set the reference alone. Linear
in between."""

# Lowest normal ratios where they lie below 0.80. L5 posterior/anterior 0.63 is the published lower end. The middle of
# such a body lies half-way between, 0.815 of the anterior (posterior/middle 0.77), less the usual concavity of 4 %.
# Keys: (part, other part), 0 anterior, 1 middle, 2 posterior.
_NORMAL_MINIMUM: dict[str, dict[tuple[int, int], float]] = {"L5": {(2, 0): 0.63, (1, 0): 0.78, (2, 1): 0.77}}

_SAME_SHAPE_AS = {"L6": "L5", "T13": "T12"}


@dataclass(frozen=True)
class LevelShape:
    """What is normal at one level.

    profile: anterior, middle, posterior height relative to the posterior one. relative_height: posterior height
    relative to T12's. normal_minimum: lowest normal ratio of a pair of parts, only where that is below 0.80.
    """

    profile: tuple[float, float, float]
    relative_height: float
    normal_minimum: dict[tuple[int, int], float]


@cache
def _shapes() -> dict[str, LevelShape]:
    text = files("vfscreen.morphometry").joinpath("normal_shapes.yaml").read_text(encoding="utf-8")
    content: dict[str, dict[str, Any]] = yaml.safe_load(text)["levels"]
    shapes = {
        level: LevelShape(
            (entry["anterior_to_posterior"], entry["middle_to_posterior"], 1.0),
            entry["posterior_height_relative"],
            _NORMAL_MINIMUM.get(level, {}),
        )
        for level, entry in content.items()
    }
    return shapes | {level: shapes[model] for level, model in _SAME_SHAPE_AS.items()}


def level_shape(level: str | None) -> LevelShape | None:
    """The normal shape of T1..L6; None for an unknown level and for the neck, whose normal bodies were not measured."""
    return None if level is None else _shapes().get(level)


def normalised_heights_mm(heights_mm: Float, level: str | None) -> Float:
    """Heights (..., 3) divided by the level's normal profile: equal for a normal body. Unchanged at unknown levels."""
    shape = level_shape(level)
    heights = np.asarray(heights_mm, dtype=np.float64)
    return heights if shape is None else np.asarray(heights / np.asarray(shape.profile))


def adjusted_height_loss(heights_mm: Float, level: str | None, expected_height_mm: float | None = None) -> Float:
    """Loss of height against what is normal at `level`.

    heights_mm: (..., 3) anterior, middle, posterior, >= 0. expected_height_mm: posterior height the patient's other
    vertebrae let expect at that level (neighbours.expected_posterior_height_mm), or None.
    Returns (...,) in 0..1. At an unknown level nothing can be adjusted: the raw loss.
    Raises ValueError as raw_height_loss does.
    """
    raw = raw_height_loss(heights_mm)
    shape = level_shape(level)
    if shape is None:
        return raw
    heights = np.asarray(heights_mm, dtype=np.float64)
    loss = np.maximum(raw_height_loss(normalised_heights_mm(heights, level)), _unexplained_raw_loss(heights, shape))
    if expected_height_mm is not None:
        loss = np.maximum(loss, _crush_loss(normalised_heights_mm(heights, level), expected_height_mm))
    return np.asarray(np.where(heights.max(axis=-1) > 0, loss, raw))


def tallest_part_loss(heights_mm: Float, level: str | None, expected_height_mm: float) -> Float:
    """What even the tallest part has lost against the patient's neighbours, (..., 3) -> (...,) in 0..1."""
    tallest = normalised_heights_mm(heights_mm, level).max(axis=-1)
    return np.asarray(np.clip(1.0 - tallest / expected_height_mm, 0.0, 1.0))


def _unexplained_raw_loss(heights: Float, shape: LevelShape) -> Float:
    """The largest raw loss of any pair of parts that the normal range of the level does not explain."""
    worst = np.zeros(heights.shape[:-1])
    for part in range(3):
        for other in range(3):
            if part == other:
                continue
            base = heights[..., other]
            ratio = np.where(base > 0, np.minimum(heights[..., part], base) / np.where(base > 0, base, 1.0), 1.0)
            lowest = shape.normal_minimum.get((part, other))
            complete = UNEXPLAINED_RATIO if lowest is None else lowest - EXPLAIN_RAMP
            # the 1e-9 keeps a ratio of exactly 0.80 wholly unexplained in binary floating point
            # (genant.BORDER_TOLERANCE)
            share = np.clip((complete + EXPLAIN_RAMP - ratio + 1e-9) / EXPLAIN_RAMP, 0.0, 1.0)
            worst = np.maximum(worst, share * np.clip(1.0 - ratio, 0.0, 1.0))
    return np.asarray(worst)


def _crush_loss(normalised: Float, expected_height_mm: float) -> Float:
    """Loss against the patient's own reference, which takes over from the body's own as its tallest part sinks."""
    tallest = normalised.max(axis=-1)
    sunk = 1.0 - tallest / expected_height_mm
    say = np.clip((sunk - CRUSH_STARTS) / (CRUSH_COMPLETE - CRUSH_STARTS), 0.0, 1.0)
    reference = tallest + say * np.maximum(expected_height_mm - tallest, 0.0)
    return np.asarray(np.clip(1.0 - normalised.min(axis=-1) / np.where(reference > 0, reference, 1.0), 0.0, 1.0))
