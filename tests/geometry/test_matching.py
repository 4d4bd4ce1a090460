"""Matching points one to one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.geometry.matching import BODY_MATCH_MM, match_points


def column(n: int, spacing_mm: float = 25.0) -> np.ndarray:
    return np.column_stack([np.zeros(n), np.zeros(n), -spacing_mm * np.arange(n)])


def test_a_missed_and_an_extra_body_leave_the_others_in_place() -> None:
    true = column(5)
    found = np.vstack([true[[4, 2, 0, 1]] + [2.0, -1.0, 3.0], [[0.0, 0.0, 40.0]]])
    assert match_points(true, found) == {0: 2, 1: 3, 2: 1, 4: 0}


def test_far_points_do_not_push_near_ones_apart() -> None:
    """A shifted column: the sum of distances would be smallest with every pair moved by one."""
    true = np.array([[0.0, 0, 0], [0.0, 0, -25]])
    found = np.array([[0.0, 0, -25], [0.0, 0, -500]])
    assert match_points(true, found) == {1: 0}


def test_nothing_matches_nothing() -> None:
    assert match_points(np.empty((0, 3)), column(2)) == {}
    assert match_points(column(2), []) == {}


@given(st.permutations(range(7)), st.floats(0, BODY_MATCH_MM / 2))
def test_any_order_and_any_small_shift_is_undone(order: list[int], shift: float) -> None:
    true = column(7)
    found = true[order] + [0.0, shift, 0.0]
    pairs = match_points(true, found)
    assert {order[b] for b in pairs.values()} == set(range(7))
    assert all(order[b] == a for a, b in pairs.items())
    assert match_points(found, true) == {b: a for a, b in pairs.items()}
