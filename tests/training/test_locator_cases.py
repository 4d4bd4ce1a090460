"""What a reading or a synthetic patient says of the column along z."""

from __future__ import annotations

import numpy as np
import pytest

from vfscreen.models.ports import COLUMN_CLASSES
from vfscreen.training.locator_cases import UNKNOWN, column_truth, load_case, phantom_case, reading_truth, save_case
from vfscreen.training.readings import load_reading

LINE = np.column_stack([np.full(5, 3.0), np.linspace(0, 8, 5), np.linspace(0, 200, 5)])


def at(truth, z: float) -> int:
    return int(np.abs(truth.path_lps_mm[:, 2] - z).argmin())


def test_levels_are_shared_between_neighbours_by_distance() -> None:
    centres = [
        ("T12", np.array([3.0, 6.0, 150.0])),
        ("L1", np.array([3.0, 5.0, 120.0])),
        (None, np.array([3, 4, 90.0])),
    ]
    truth = column_truth(LINE, centres, None, 200.0)
    soft = truth.levels[at(truth, 130.0)]
    assert soft[COLUMN_CLASSES.index("T12")] == pytest.approx(1 / 3, abs=0.05)
    assert soft.sum() == pytest.approx(1.0)
    assert truth.levels[at(truth, 90.0)].sum() == 0.0, "an uncertain level teaches nothing"


def test_beyond_what_was_read_nothing_is_claimed() -> None:
    truth = column_truth(LINE, [("L3", np.array([3.0, 4.0, 100.0]))], None, 200.0)
    assert truth.presence[at(truth, 100.0)] == 1.0
    assert truth.presence[at(truth, -50.0)] == UNKNOWN
    assert truth.presence[at(truth, 250.0)] == UNKNOWN
    assert not truth.located[at(truth, 250.0)]


def test_below_a_seen_sacrum_the_column_is_absent() -> None:
    truth = column_truth(LINE, [("L5", np.array([3.0, 1.0, 30.0]))], 15.0, 200.0)
    assert truth.presence[at(truth, 12.0)] == 1.0
    assert truth.presence[at(truth, 0.0)] == 0.0
    assert not truth.located[at(truth, 0.0)]
    assert truth.levels[at(truth, -10.0)][COLUMN_CLASSES.index("S")] == 1.0


def test_a_real_reading_that_ends_on_the_sacrum_says_so(shared_data) -> None:
    ends = reading_truth(load_reading(shared_data / "ct" / "taichi_sag_six_points.json"))
    open_end = reading_truth(load_reading(shared_data / "ct" / "crlm_1004_six_points.json"))
    assert (ends.presence == 0.0).any()
    assert not (open_end.presence == 0.0).any()
    assert open_end.levels.sum() == 0.0, "its numbering is uncertain"


def test_a_synthetic_case_survives_being_kept(tmp_path) -> None:
    case = phantom_case(3)
    again = load_case(save_case(case, tmp_path))
    assert np.array_equal(again.volume.hu, case.volume.hu)
    assert np.array_equal(again.truth.levels, case.truth.levels)
    assert again.name == "phantom-0003"
    on_bone = case.volume.to_ijk(case.truth.path_lps_mm[case.truth.presence == 1.0]).round().astype(int)
    inside = ((on_bone >= 0) & (on_bone < case.volume.shape_ijk)).all(axis=1)
    i, j, k = on_bone[inside].T
    assert np.median(case.volume.hu[k, j, i]) > 60, "the path runs through vertebral bodies"
