"""Scores in the context of the column: faint bodies that it calls for stand, others stay what they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.models.film_context import ContextParameters, in_context
from vfscreen.models.ports import Detection
from vfscreen.schema.names import LEVELS

PX = 32.0
PITCH = 40.0


def seen(places: Sequence[tuple[float, float]]) -> list[Detection]:
    """(row in pitches, score) -> detections."""
    zero = np.zeros((6, 2))
    return [Detection(s, np.array([PITCH * r, 56.0]), zero, zero, np.zeros(26), 0.1) for r, s in places]


def scores(places: Sequence[tuple[float, float]]) -> list[float]:
    return [d.score for d in in_context(seen(places), PX, ContextParameters())]


def test_a_faint_body_in_a_gap_stands_and_one_out_of_step_does_not() -> None:
    column = [(0, 0.9), (1, 0.9), (2, 0.15), (3, 0.9), (4, 0.9), (4.5, 0.2), (5, 0.9)]
    assert scores(column) == pytest.approx([0.9, 0.9, 0.614, 0.9, 0.9, 0.2, 0.9], abs=0.01)


def test_two_missing_ones_are_filled_by_the_best_near_each_place() -> None:
    column = [(0, 0.9), (1, 0.3), (1.2, 0.2), (2, 0.25), (3, 0.9), (4, 0.8)]
    out = scores(column)
    assert [s >= 0.5 for s in out] == [True, True, False, True, True, True]


def test_a_column_goes_on_beyond_its_sure_bodies_while_bodies_follow() -> None:
    out = scores([(0, 0.2), (1, 0.4), (2, 0.4), (3, 0.9), (4, 0.9), (5, 0.4), (8, 0.49)])
    assert [s >= 0.5 for s in out] == [False, True, True, True, True, True, False]


def named(places: Sequence[tuple[float, float, str]]) -> list[bool]:
    """(row in pitches, score, level) -> which stand."""
    detections = []
    for d, (_, _, level) in zip(seen([(r, s) for r, s, _ in places]), places, strict=True):
        votes = np.full(len(LEVELS), -6.0)
        votes[LEVELS.index(level)] = 0.0
        detections.append(replace(d, level_scores=votes))
    return [d.score >= 0.5 for d in in_context(detections, PX, ContextParameters())]


def test_what_follows_the_lumbar_spine_without_a_further_name_is_no_vertebra() -> None:
    column = [(0, 0.9, "L2"), (1, 0.9, "L3"), (2, 0.9, "L4"), (3, 0.3, "L5")]
    assert named([*column, (4, 0.35, "L3"), (5, 0.6, "L2")]) == [True, True, True, True, False, False]
    assert named([*column[:3], (3, 0.7, "L5")]) == [True] * 4


def test_a_false_lumbar_name_in_the_neck_does_not_end_the_spine() -> None:
    column = [(0, 0.6, "L3"), (6, 0.9, "T8"), (7, 0.9, "T9"), (8, 0.9, "T10"), (9, 0.9, "T11")]
    assert named(column) == [True] * 5


def test_without_a_sure_body_nothing_is_called_for() -> None:
    places = [(0, 0.4), (1, 0.45), (2, 0.3)]
    assert scores(places) == [0.4, 0.45, 0.3]
    assert in_context([], PX, ContextParameters()) == []


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0.01, 0.99)), max_size=20))
def test_without_names_no_score_falls_and_nothing_comes_or_goes(places: list[tuple[float, float]]) -> None:
    before = sorted(seen(places), key=lambda d: float(d.centre[0]))
    after = in_context(seen(places), PX, ContextParameters())
    assert [float(d.centre[0]) for d in after] == [float(d.centre[0]) for d in before]
    assert all(a.score >= b.score - 1e-9 for a, b in zip(after, before, strict=True))
