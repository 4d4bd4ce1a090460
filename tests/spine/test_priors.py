"""Priors are probabilities, and the usual column is the most probable one."""

from __future__ import annotations

import numpy as np
import pytest

from vfscreen.spine.priors import (
    SACRUM,
    STATES,
    VERTEBRA_KINDS,
    first_level_log_prior,
    kind_share,
    last_share,
    neighbour_steps,
    sacrum_top_distance_mm,
)


def test_what_a_level_carries_sums_to_one_and_is_mostly_the_textbook() -> None:
    share = kind_share()
    assert share.sum(axis=1) == pytest.approx(np.ones(len(STATES)))
    usual = {"C": "cervical", "T": "rib_bearing", "L": "lumbar", "S": "sacrum"}
    for state, level in enumerate(STATES):
        assert share[state, VERTEBRA_KINDS.index(usual[level[0]])] > 0.95
    assert share[STATES.index("L1"), VERTEBRA_KINDS.index("rib_bearing")] > 0
    assert share[STATES.index("T12"), VERTEBRA_KINDS.index("lumbar")] > 0


def test_the_sacrum_follows_the_last_vertebra() -> None:
    share = last_share()
    assert np.isnan(share[SACRUM])
    assert share[STATES.index("L5")] > 0.9 and share[STATES.index("L6")] == pytest.approx(1.0)
    assert 0 < share[STATES.index("L4")] < 0.05
    assert share[: STATES.index("L4")] == pytest.approx(np.zeros(STATES.index("L4")))


def test_steps_down_from_a_level_sum_to_one() -> None:
    down = np.zeros(len(STATES))
    for step in neighbour_steps():
        down[step.upper] += np.exp(step.log_prior)
    assert down == pytest.approx(np.ones(len(STATES)), abs=0.02)
    assert np.exp(first_level_log_prior()).sum() == pytest.approx(1.0)


def test_the_sacrum_is_nearer_the_lower_the_level() -> None:
    distance = sacrum_top_distance_mm()
    usual = [STATES.index(level) for level in ("T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")]
    assert (np.diff(distance[usual]) < 0).all()
