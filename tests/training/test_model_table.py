"""The table of targets: a chain that reads the truth meets them, and what was not measured says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.screening.beads import Patient, affine_around, make_patient, oracle_models, render
from vfscreen.geometry.volume import Volume
from vfscreen.models.ports import ModelSet
from vfscreen.settings import ScreeningSettings
from vfscreen.training import model_table
from vfscreen.training.chain_evaluate import Screened, knowing, levels_follow, screen_reading
from vfscreen.training.readings import ReadVertebra
from vfscreen.training.vertebra_evaluate import Match, VolumeResult

SETTINGS = ScreeningSettings()
PATIENT = make_patient()


def truth_of(patient: Patient) -> tuple[ReadVertebra, ...]:
    return tuple(ReadVertebra(n, True, 0.8, p) for n, p in zip(patient.levels, patient.keypoints, strict=True))


def screened(models: ModelSet | None = None) -> Screened:
    volume = render(PATIENT, *affine_around(PATIENT))
    return screen_reading("beads", volume, truth_of(PATIENT), models or oracle_models(PATIENT), SETTINGS)


def by_name(rows: list[model_table.TargetRow]) -> dict[str, model_table.TargetRow]:
    return {row.name: row for row in rows}


def test_a_chain_that_reads_the_truth_meets_every_target() -> None:
    result = screened()
    rows = by_name(model_table.real_rows([result]))
    assert rows["vertebrae found"].value == 1.0 and rows["vertebrae found"].n == 6
    assert rows["key point distance, slices <= 2 mm, median"].value < 0.5
    assert rows["heights, mean absolute error"].value < 2.0
    assert rows["unfractured called grade >= 2"].value == 0.0
    assert rows["levels right"].value == 1.0
    assert all(row.met for row in rows.values() if row.met is not None)
    low, high = rows["vertebrae found"].ci95
    assert low < 0.7 and high == 1.0  # six vertebrae prove little


def test_a_volume_without_a_spine_misses_every_vertebra() -> None:
    empty = Volume(np.full((60, 60, 60), -1000, np.int16), np.diag([2.0, 2.0, 2.0, 1.0]))
    blind = knowing(oracle_models(PATIENT), np.zeros((0, 3)))
    result = screen_reading("empty", empty, truth_of(PATIENT), blind, SETTINGS)
    rows = by_name(model_table.real_rows([result]))
    assert rows["vertebrae found"].value == 0.0 and rows["vertebrae found"].met is False
    assert rows["heights, mean absolute error"].value is None and rows["heights, mean absolute error"].met is None


@pytest.mark.parametrize(
    ("upper", "lower", "follows"),
    [
        ("T11", "T12", True),
        ("T11", "L1", True),
        ("T12", "L1", True),
        ("T3", "T5", False),
        ("L2", "L1", False),
        (None, "L1", True),
    ],
)
def test_skipped_and_repeated_levels_are_noticed(upper: str | None, lower: str | None, follows: bool) -> None:
    assert levels_follow(upper, lower) is follows


def match_of(true_loss: float, measured_loss: float, grade: int | None = None, missed: bool = False) -> Match:
    def points(loss: float) -> np.ndarray:
        heights = np.array([20.0 * (1 - loss), 20.0, 20.0])
        return np.array([(0.0, y, s * h / 2) for y, h in zip((-15, 0, 15), heights, strict=True) for s in (1, -1)])

    truth = ReadVertebra("L1", True, 1.0, points(true_loss), grade)
    return Match("m", truth, None if missed else points(measured_loss), np.ones((6, 2)), 0.5, None)


def test_deep_rows_count_points_of_loss() -> None:
    matches = (
        match_of(0.30, 0.26),
        match_of(0.40, 0.42),
        match_of(0.05, 0.05),
        match_of(0.10, 0.27),
        match_of(0.5, 0, None, True),
    )
    rows = by_name(model_table.deep_rows("g", [VolumeResult("v", matches, ())]))
    assert rows["loss where >= 0.25, bias"].value == pytest.approx(-1.0)
    assert rows["loss where >= 0.25, absolute error"].value == pytest.approx(3.0)
    assert rows["vertebrae found"].value == pytest.approx(0.8)
    assert rows["sensitivity for grade >= 2"].value == 1.0
    assert rows["specificity for grade >= 2"].value == 0.5 and rows["specificity for grade >= 2"].met is False
    assert rows["ROC AUC, grade >= 2, by its loss"].value == pytest.approx(0.75)


def test_a_published_fracture_that_was_missed_is_not_found() -> None:
    whole = screened()
    first, second, third, *_ = whole.pairs
    assert first[1] is not None and third[1] is not None
    pairs = (
        (replace(first[0], published_genant_grade=3), replace(first[1], genant_grade=2, genant_grade_raw=1)),
        (replace(second[0], published_genant_grade=2), None),
        (replace(third[0], published_genant_grade=0), replace(third[1], genant_grade=2)),
        (replace(third[0], published_genant_grade=0), replace(third[1], genant_grade=0)),
    )
    rows = by_name(model_table.published_rows("g", [replace(whole, pairs=pairs)]))
    assert (rows["published grade >= 2 found"].value, rows["published grade >= 2 found"].n) == (0.5, 2)
    assert rows["published grade >= 2 found by the raw index"].value == 0.0
    assert rows["published grade 0 called >= 2"].value == 0.5
