"""The column among a strip's detections: kept whole, what is not of it left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.spine.film_run import BELIEVED, MISSED_MAX, STEP_BODY_HEIGHTS, column_run


def bodies(count: int, start: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    centres = np.stack([start + STEP_BODY_HEIGHTS * np.arange(count), np.zeros(count)], axis=1)
    return centres, np.ones(count), np.full(count, 0.85)


def run(parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray, float]:
    """Sorted centres, which of them make the run, its evidence."""
    centres, heights, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(centres[:, 0], kind="stable")
    chosen, evidence = column_run(centres[order], heights[order], scores[order])
    return centres[order], chosen, evidence


@given(st.integers(1, 24), st.integers(0, 1000))
def test_a_column_is_kept_whole(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    centres, heights, scores = bodies(count)
    centres = centres + rng.uniform(-0.08, 0.08, centres.shape)
    chosen, evidence = column_run(centres, heights * np.exp(rng.uniform(-0.08, 0.08, count)), scores)
    assert list(chosen) == list(range(count))
    assert 0 < evidence <= (0.85 - BELIEVED) * count + 1e-9


def test_a_collapsed_body_stays_in_the_column() -> None:
    centres, heights, scores = bodies(9)
    heights[4] = 0.55
    centres[5:, 0] -= 0.4
    assert len(column_run(centres, heights, scores)[0]) == 9


def test_what_lies_aside_or_between_is_left_out() -> None:
    column = bodies(10)
    rib = (np.array([[4.5 * STEP_BODY_HEIGHTS, 1.4]]), np.ones(1), np.array([0.9]))
    disc = (np.array([[6.5 * STEP_BODY_HEIGHTS, 0.0]]), np.array([0.5]), np.array([0.6]))
    centres, chosen, _ = run([column, rib, disc])
    assert np.allclose(centres[chosen], column[0])


def test_a_skull_far_above_is_parted_from_the_column() -> None:
    column = bodies(12, start=20.0)
    skull = (np.array([[1.0, 0.5], [2.6, -0.6]]), np.array([1.6, 0.7]), np.array([0.7, 0.6]))
    centres, chosen, _ = run([skull, column])
    assert np.allclose(centres[chosen], column[0])


@pytest.mark.parametrize(("missed", "kept"), [(1, 12), (2, 12), (MISSED_MAX + 2, 8)])
def test_hidden_bodies_are_bridged_up_to_a_limit(missed: int, kept: int) -> None:
    upper = bodies(4)
    lower = bodies(8, start=STEP_BODY_HEIGHTS * (4 + missed))
    assert len(run([upper, lower])[1]) == kept


def test_nothing_makes_no_column() -> None:
    chosen, evidence = column_run(np.zeros((0, 2)), np.zeros(0), np.zeros(0))
    assert len(chosen) == 0 and evidence == 0.0
    doubted = (*bodies(3)[:2], np.full(3, BELIEVED / 2))
    assert len(column_run(*doubted)[0]) == 0
