"""Shares from a sample drawn by strata: against a planted truth by simulation, and against what is known exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.audit.intervals import share
from vfscreen.audit.weighted import Unit, WeightedShare, weighted_share

STRATA = ("found_only", "both", "reported_only", "neither")
RUNS = 200


@dataclass(frozen=True)
class Population:
    """units: studies. fractures, missed: of each, those that are there, and those of them that no report mentions."""

    units: list[Unit]
    fractures: np.ndarray
    missed: np.ndarray


def population(rng: np.random.Generator, count: int) -> Population:
    """Studies of patients with 1 to 4 each. A patient's risk of fracture, and how carefully his films are read, are his
    own. The program finds most and sees one that is none in 20 % of studies; reports invent one in 1 %."""
    units: list[Unit] = []
    fractures, missed = [], []
    patient = 0
    while len(units) < count:
        risk, care = rng.beta(1, 6), rng.beta(6, 4)
        for _ in range(rng.integers(1, 5)):
            there = rng.binomial(3, risk)
            told = rng.binomial(there, care)
            # what a reader overlooks the program overlooks more easily, too
            found = rng.binomial(told, 0.97) + rng.binomial(there - told, 0.7) > 0 or rng.random() < 0.2
            reported = told > 0 or rng.random() < 0.01
            units.append(Unit(_stratum(found, reported), patient))
            fractures.append(there)
            missed.append(there - told)
        patient += 1
    return Population(units, np.array(fractures), np.array(missed))


def _stratum(found: bool, reported: bool) -> str:
    return ("both" if reported else "found_only") if found else ("reported_only" if reported else "neither")


def drawn(rng: np.random.Generator, units: Sequence[Unit], each: int) -> list[int]:
    """The same number of studies from every stratum, as the sampling plan draws."""
    chosen: list[int] = []
    for stratum in STRATA:
        members = [i for i, u in enumerate(units) if u.stratum == stratum]
        chosen += rng.choice(members, min(each, len(members)), replace=False).tolist()
    return chosen


def estimate(everyone: Population, chosen: Sequence[int]) -> WeightedShare:
    return weighted_share(
        everyone.units,
        [everyone.units[i] for i in chosen],
        everyone.missed[chosen].tolist(),
        everyone.fractures[chosen].tolist(),
    )


@pytest.mark.parametrize("each", [15, 50])
def test_the_planted_missed_rate_comes_back(each: int) -> None:
    """Unbiased (to its own error), honest about its error, and covering: 200 lakes, each drawn from once."""
    rng = np.random.default_rng(20)
    many = population(rng, 60_000)
    truth = many.missed.sum() / many.fractures.sum()
    listed, both = (sum(u.stratum == s for u in many.units) for s in ("found_only", "both"))
    estimates, errors, covered = [], [], 0
    for _ in range(RUNS):
        everyone = population(rng, 1_000)
        chosen = drawn(rng, everyone.units, each)
        found = estimate(everyone, chosen)
        assert found.share is not None and found.low is not None and found.high is not None
        estimates.append(found.share)
        errors.append(found.standard_error)
        covered += found.low <= truth <= found.high
    spread = float(np.std(estimates))
    assert abs(np.mean(estimates) - truth) < 4 * spread / RUNS**0.5 + 0.01  # a ratio is biased by O(1/n)
    assert np.mean([e for e in errors if e is not None]) == pytest.approx(spread, rel=0.15)
    assert covered / RUNS > 0.91
    # what the findings alone would say, false alarms and all, is far from it
    assert abs(listed / (listed + both) - truth) > 0.08


def test_reading_everything_leaves_no_error_of_reading() -> None:
    rng = np.random.default_rng(3)
    everyone = population(rng, 400)
    found = estimate(everyone, range(len(everyone.units)))
    assert found.share == pytest.approx(everyone.missed.sum() / everyone.fractures.sum())
    assert found.reading_standard_error == pytest.approx(0.0, abs=1e-12)
    assert found.standard_error is not None and found.standard_error > 0
    assert found.total_estimated == pytest.approx(everyone.fractures.sum())


def test_with_one_stratum_it_is_the_plain_share() -> None:
    """Everything read, nobody twice: the share and, nearly, the interval of `intervals.share`."""
    rng = np.random.default_rng(4)
    hits = (rng.random(200) < 0.3).astype(int)
    units = [Unit("all", i) for i in range(200)]
    found = weighted_share(units, units, hits.tolist(), [1] * 200)
    plain = share([(i, bool(h)) for i, h in enumerate(hits)])
    assert found.share == pytest.approx(plain.share)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.004)


def test_patients_read_twice_widen_the_interval() -> None:
    rng = np.random.default_rng(5)
    hits = np.repeat(rng.random(60) < 0.5, 4).astype(int).tolist()
    alone = [Unit("all", i) for i in range(240)]
    together = [Unit("all", i // 4) for i in range(240)]
    one, other = (weighted_share(u, u, hits, [1] * 240) for u in (alone, together))
    assert one.share == other.share
    assert one.standard_error is not None and other.standard_error == pytest.approx(2 * one.standard_error, rel=0.05)


def test_a_share_of_nothing_or_of_an_unread_stratum_has_a_reason() -> None:
    units = [Unit("a", 1), Unit("a", 2), Unit("b", 3), Unit("b", 4), Unit("b", 5)]
    assert weighted_share(units, units[:2], [1, 0], [1, 1]).reason == "stratum_not_read"
    nothing = weighted_share(units, units, [0] * 5, [0] * 5)
    assert (nothing.share, nothing.reason) == (None, "nothing_to_share")
    single = weighted_share(units, units[:3], [1, 0, 0], [1, 1, 0])
    assert (single.share, single.low, single.reason) == (0.5, None, "one_study_read_of_a_stratum")
    lone = weighted_share(units, units, [1, 0, 0, 0, 0], [1, 0, 0, 0, 0])
    assert (lone.share, lone.low, lone.reason) == (1.0, None, "one_study_behind_the_share")


@given(
    st.lists(
        st.tuples(st.sampled_from(STRATA), st.integers(0, 6), st.integers(0, 3), st.integers(0, 3)),
        min_size=8,
        max_size=60,
    ),
    st.integers(1, 5),
)
def test_an_estimate_stays_within_its_interval_and_the_interval_within_bounds(
    studies: list[tuple[str, int, int, int]], each: int
) -> None:
    everyone = Population(
        [Unit(s, patient) for s, patient, _, _ in studies],
        np.array([a + b for _, _, a, b in studies]),
        np.array([a for _, _, a, _ in studies]),
    )
    chosen = [i for s in STRATA for i in [i for i, u in enumerate(everyone.units) if u.stratum == s][:each]]
    found = estimate(everyone, chosen)
    if found.share is None:
        assert found.reason == "nothing_to_share"
        return
    counts = Counter(u.stratum for u in everyone.units)
    assert 0 <= found.share <= 1 and found.total_estimated is not None
    assert found.total_estimated <= 6 * sum(counts.values())
    if found.low is not None and found.high is not None:
        assert 0 <= found.low <= found.share <= found.high <= 1
