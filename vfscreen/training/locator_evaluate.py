"""Measure a locator against readings: is the curve on the bodies, does it reach them all, does it know the levels?

Belongs here: comparing a located column with a reading, the numbers. Does not belong here: the command line (locator),
intervals (vertebra_evaluate.bootstrap_number).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.volume import Volume
from vfscreen.models.lowres import CELL_MM
from vfscreen.models.networks3d import STRIDE
from vfscreen.models.ports import COLUMN_CLASSES, LocatedColumn, Locator
from vfscreen.spine.centreline import fit_centreline
from vfscreen.training.locator_cases import reading_truth
from vfscreen.training.readings import Reading
from vfscreen.training.vertebra_evaluate import Number, bootstrap_number

Float = NDArray[np.float64]

USUAL_CLASSES = tuple(name for name in COLUMN_CLASSES if name not in ("T13", "L6"))
"""The ordinary column, on which an error of level is counted."""

REACH_MM = 5.0
"""A body whose centre lies farther beyond the curve's end than this was not reached."""


@dataclass(frozen=True, eq=False)
class ColumnResult:
    """One volume.

    reached: (V,) bool a read vertebra. body_mm: distance from the body's centre (mean of six points) to the curve, of
    those reached. curve_mm: distance in the axial plane from the reading's dense centreline, every mm within the read
    range. recall: (R,) bool a position of 1 mm in the read range, was it covered? false_mm: length of candidates where
    the column is known to be absent (sacrum and below). level_error: (L,) levels the most likely class is off at
    candidates within the range of certain readings.
    """

    name: str
    reached: NDArray[np.bool_]
    body_mm: Float
    curve_mm: Float
    recall: NDArray[np.bool_]
    false_mm: float
    level_error: Float


def evaluate_column(volume: Volume, reading: Reading, locator: Locator) -> ColumnResult:
    """Locate and compare."""
    return compare_column(reading, locator.locate(volume))


def compare_column(reading: Reading, located: LocatedColumn) -> ColumnResult:
    """A located column against a reading of the same volume."""
    points = np.array([v.keypoints_lps_mm for v in reading.vertebrae])
    top, bottom = float(points[..., 2].max()), float(points[..., 2].min())
    dense = reading.centreline().points_lps_mm[::-1]
    dense = dense[(dense[:, 2] >= bottom) & (dense[:, 2] <= top)]
    centreline = fit_centreline(located.points_lps_mm, located.presence)
    if centreline is None:
        missed = np.zeros(len(points), dtype=bool)
        return ColumnResult(
            reading.name, missed, np.zeros(0), np.zeros(0), np.zeros(len(dense), bool), 0.0, np.zeros(0)
        )
    curve = centreline.points_lps_mm[::-1]
    spl = centreline.from_lps(points.mean(axis=1))
    reached = (spl[:, 0] >= -REACH_MM) & (spl[:, 0] <= centreline.length_mm + REACH_MM)
    covered = (dense[:, 2] >= curve[0, 2]) & (dense[:, 2] <= curve[-1, 2])
    at = dense[covered]
    aside = np.column_stack([np.interp(at[:, 2], curve[:, 2], curve[:, a]) - at[:, a] for a in (0, 1)])
    truth = reading_truth(reading)
    nearest = np.clip(np.searchsorted(truth.path_lps_mm[:, 2], located.points_lps_mm[:, 2]), 0, len(truth.presence) - 1)
    return ColumnResult(
        reading.name,
        reached,
        np.hypot(spl[reached, 1], spl[reached, 2]),
        np.hypot(aside[:, 0], aside[:, 1]),
        covered,
        float((truth.presence[nearest] == 0.0).sum() * STRIDE * CELL_MM),
        _level_error(located, truth.levels[nearest]),
    )


def _level_error(located: LocatedColumn, levels: Float) -> Float:
    if located.level_log_likelihood is None:
        return np.zeros(0)
    usual = [COLUMN_CLASSES.index(name) for name in USUAL_CLASSES]
    known = levels.sum(axis=1) > 0.5
    found = located.level_log_likelihood[known][:, usual].argmax(axis=1)
    true = levels[known][:, usual].argmax(axis=1)
    return np.asarray(np.abs(found - true), dtype=np.float64)


def summarise_columns(results: Sequence[ColumnResult]) -> list[Number]:
    """The table of a set of volumes. Intervals are over vertebrae or positions: patients are too few."""

    def joined(name: str) -> Float:
        return np.concatenate([np.asarray(getattr(r, name), dtype=np.float64) for r in results])

    body, curve, level = joined("body_mm"), joined("curve_mm"), joined("level_error")
    return [
        bootstrap_number("centreline to body centre, mean", body, np.mean, "mm"),
        bootstrap_number("centreline to body centre, maximum", body, np.max, "mm"),
        bootstrap_number("centreline to dense reading in plane, mean", curve, np.mean, "mm"),
        bootstrap_number("centreline to dense reading in plane, maximum", curve, np.max, "mm"),
        bootstrap_number("read vertebrae reached", joined("reached"), np.mean, ""),
        bootstrap_number("presence recall along the read range", joined("recall"), np.mean, ""),
        bootstrap_number(
            "false extent where known absent, a volume", np.array([r.false_mm for r in results]), np.mean, "mm"
        ),
        bootstrap_number("level of a position, mean absolute error", level, np.mean, "levels"),
        bootstrap_number("level of a position exactly right", level == 0, np.mean, ""),
        bootstrap_number("level of a position within one", level <= 1, np.mean, ""),
    ]
