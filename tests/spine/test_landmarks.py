"""Ribs and sacrum become evidence of levels, and a landmark is claimed only where it is clear."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.spine.landmarks import (
    READING_FLOOR,
    RibReading,
    clear_landmarks,
    kind_evidence,
    sacrum_end_evidence,
    sacrum_step_evidence,
)
from vfscreen.spine.priors import SACRUM, STATES, VERTEBRA_KINDS


def reading(kinds: list[str], sure: float = 6.0, sacrum_below: bool = False, sacrum_sure: float = 6.0) -> RibReading:
    scores = np.zeros((len(kinds), len(VERTEBRA_KINDS)))
    for row, kind in enumerate(kinds):
        scores[row, VERTEBRA_KINDS.index(kind)] = sure
    below = np.tile([sacrum_sure, 0.0], (len(kinds), 1))
    if sacrum_below:
        below[-1] = [0.0, sacrum_sure]
    return RibReading(scores, below)


def test_a_rib_speaks_for_thoracic_levels_and_hardly_between_them() -> None:
    evidence = kind_evidence(reading(["rib_bearing"]))[0]
    thoracic = [STATES.index(f"T{n}") for n in range(2, 12)]
    assert np.ptp(evidence[thoracic]) < 1e-9
    assert evidence[thoracic].min() - evidence[STATES.index("L3")] > np.log(20)
    assert evidence[STATES.index("L1")] - evidence[STATES.index("L3")] > 0, "a lumbar rib happens on L1"


@given(st.floats(-60, 60))
def test_no_reading_rules_a_level_out(score: float) -> None:
    scores = np.zeros((1, len(VERTEBRA_KINDS)))
    scores[0, 1] = score
    evidence = kind_evidence(RibReading(scores, np.zeros((1, 2))))
    assert evidence.min() >= np.log(READING_FLOOR / len(VERTEBRA_KINDS)) - 1e-9


def test_what_follows_is_the_sacrum_or_not() -> None:
    two = RibReading(np.zeros((3, 4)), np.array([[5.0, 0.0], [0.0, 5.0], [0.0, 0.0]]))
    steps = sacrum_step_evidence(two)
    assert steps.shape == (2, len(STATES))
    assert steps[0, SACRUM] < steps[0, 0] and steps[1, SACRUM] > steps[1, 0]


def test_the_end_of_the_column() -> None:
    ends = sacrum_end_evidence(reading(["lumbar"] * 2, sacrum_below=True))
    assert STATES[int(ends[:SACRUM].argmax())] in ("L5", "L6")
    assert ends[STATES.index("L4")] < ends[STATES.index("L5")] - np.log(20)
    open_end = sacrum_end_evidence(reading(["lumbar"] * 2))
    assert open_end[STATES.index("L5")] < open_end[STATES.index("L4")]
    silent = RibReading(np.zeros((1, 4)), np.zeros((1, 2)))
    assert sacrum_end_evidence(silent)[:SACRUM] == pytest.approx(np.full(SACRUM, np.log(0.5)))


def test_junctions_and_sacrum_are_landmarks_where_they_are_clear() -> None:
    levels = ["T11", "T12", "L1", "L2", "L3", "L4", "L5"]
    kinds = ["rib_bearing"] * 2 + ["lumbar"] * 5
    assert clear_landmarks(levels, reading(kinds, sacrum_below=True)) == ("T12-L1", "S")
    assert clear_landmarks(levels, reading(kinds, sure=1.0, sacrum_below=True)) == ("S",)
    assert clear_landmarks(levels, reading(kinds, sacrum_below=True, sacrum_sure=1.0)) == ("T12-L1",)
    assert clear_landmarks(["C7", "T1"], reading(["cervical", "rib_bearing"])) == ("C7-T1",)
    assert clear_landmarks(["T12", "T13", "L1"], reading(["rib_bearing", "rib_bearing", "lumbar"])) == ("T12-L1",)


def test_labels_that_the_ribs_contradict_have_no_landmark() -> None:
    kinds = ["rib_bearing", "rib_bearing", "lumbar"]
    assert clear_landmarks(["T11", "T12", "L1"], reading(kinds)) == ("T12-L1",)
    assert clear_landmarks(["T12", "L1", "L2"], reading(kinds)) == ()
    assert clear_landmarks([None, "T12", None], reading(kinds)) == ()
    assert clear_landmarks(["T10", "T11", "L2"], reading(kinds)) == (), "a vertebra is missing at the junction"


def test_a_sacrum_detected_as_a_vertebra_is_a_landmark_if_it_looks_like_one() -> None:
    assert clear_landmarks(["L5", "S"], reading(["lumbar", "sacrum"])) == ("S",)
    assert clear_landmarks(["L5", "S"], reading(["lumbar", "lumbar"])) == ()
