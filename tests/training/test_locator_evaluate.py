"""Comparing a located column with a reading: what is right scores as right, what is off by x scores x."""

from __future__ import annotations

import numpy as np
import pytest

from vfscreen.models.ports import COLUMN_CLASSES, LocatedColumn
from vfscreen.training.locator_cases import reading_truth
from vfscreen.training.locator_evaluate import compare_column, summarise_columns
from vfscreen.training.readings import Reading, ReadVertebra

LEVELS = ("L2", "L3", "L4", "L5")


def box(z: float) -> np.ndarray:
    """Six points of a body 34 mm deep and 26 mm high about (0, 0, z)."""
    return np.array([[0.0, y, z + dz] for y in (-17.0, 0.0, 17.0) for dz in (13.0, -13.0)])


@pytest.fixture
def reading() -> Reading:
    heights = [140.0, 105.0, 70.0, 35.0]
    line = np.column_stack([np.zeros(60), np.zeros(60), np.linspace(160, 15, 60)])
    return Reading("r", line, tuple(ReadVertebra(n, True, 1.0, box(z)) for n, z in zip(LEVELS, heights, strict=True)))


def column(reading: Reading, z: np.ndarray, aside_mm: float = 0.0, level_shift: int = 0) -> LocatedColumn:
    truth = reading_truth(reading)
    soft = truth.levels[[int(np.abs(truth.path_lps_mm[:, 2] - value).argmin()) for value in z]]
    likelihood = np.log(np.roll(soft, level_shift, axis=1) + 1e-3)
    points = np.column_stack([np.full(len(z), aside_mm), np.zeros(len(z)), z])
    return LocatedColumn(points, np.ones(len(z)), likelihood)


def test_a_perfect_column_has_no_error(reading) -> None:
    result = compare_column(reading, column(reading, np.arange(156.0, 20.0, -8.0)))
    assert result.reached.all()
    assert result.body_mm.max() < 0.1
    assert result.curve_mm.max() < 0.1
    assert result.false_mm == 0.0
    assert result.level_error.mean() < 0.1, "half-way between two bodies the label may fall either way"


def test_a_column_aside_is_off_by_that_much_and_wrong_levels_count(reading) -> None:
    result = compare_column(reading, column(reading, np.arange(156.0, 20.0, -8.0), aside_mm=3.0, level_shift=-1))
    assert result.body_mm == pytest.approx(3.0, abs=0.1)
    assert result.curve_mm == pytest.approx(3.0, abs=0.1)
    assert result.level_error.mean() > 0.9
    assert result.level_error.max() == 1.0


def test_what_is_not_reached_and_what_runs_into_the_sacrum_is_counted(reading) -> None:
    result = compare_column(reading, column(reading, np.arange(112.0, -30.0, -8.0)))
    assert result.reached.tolist() == [False, True, True, True]
    assert 0.6 < result.recall.mean() < 0.8
    assert result.false_mm == pytest.approx(40.0, abs=9.0)


def test_nothing_found_reaches_nothing(reading) -> None:
    empty = LocatedColumn(np.zeros((0, 3)), np.zeros(0), np.zeros((0, len(COLUMN_CLASSES))))
    result = compare_column(reading, empty)
    assert not result.reached.any()
    assert not result.recall.any()
    table = {n.name: n for n in summarise_columns([result])}
    assert table["read vertebrae reached"].value == 0.0
    assert table["centreline to body centre, mean"].n == 0
