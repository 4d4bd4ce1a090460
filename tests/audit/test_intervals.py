"""Intervals: Wilson's against another implementation, the clustered one against its limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from vfscreen.audit.intervals import share, wilson


@given(st.integers(1, 500), st.data())
def test_wilson_agrees_with_scipy(total: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, total))
    expected = binomtest(hits, total).proportion_ci(method="wilson")
    assert wilson(hits, total) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_wilson_is_the_published_one() -> None:
    # Newcombe, Stat Med 1998;17:857-872, table I, method 3: 81/263
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_observations_of_their_own_have_wilsons_interval() -> None:
    counted = share([(i, i % 3 == 0) for i in range(30)])
    assert (counted.clustered_low, counted.clustered_high) == (counted.low, counted.high)
    assert counted.design_effect == 1.0


def test_patients_who_are_all_or_nothing_count_once() -> None:
    """Ten vertebrae each of 20 patients, all alike within a patient: the information is that of 20 observations."""
    counted = share([(patient, patient < 8) for patient in range(20) for _ in range(10)])
    assert counted.design_effect == pytest.approx(10 * 199 / 200 * 20 / 19, rel=1e-6)
    once = share([(patient, patient < 8) for patient in range(20)])
    assert counted.clustered_high is not None and once.high is not None
    assert counted.clustered_high >= once.high - 0.01
    assert counted.low is not None and counted.clustered_low is not None and counted.clustered_low < counted.low


def test_where_all_are_equal_each_patient_counts_once() -> None:
    counted = share([(patient, False) for patient in range(10) for _ in range(5)])
    assert counted.design_effect == 5.0
    assert counted.clustered_low == 0.0
    assert counted.clustered_high is not None and counted.clustered_high > (counted.high or 1)


def test_the_clustered_interval_covers() -> None:
    """Simulated: 60 patients, three vertebrae each, strongly alike; Wilson alone covers too seldom, the clustered one
    not."""
    rng = np.random.default_rng(4)
    covered = plain = 0
    runs = 400
    for _ in range(runs):
        risks = rng.beta(0.6, 1.4, 60)  # mean 0.3
        counted = share([(p, bool(rng.random() < risks[p])) for p in range(60) for _ in range(3)])
        assert counted.clustered_low is not None and counted.clustered_high is not None
        assert counted.low is not None and counted.high is not None
        covered += counted.clustered_low <= 0.3 <= counted.clustered_high
        plain += counted.low <= 0.3 <= counted.high
    assert covered / runs >= 0.93
    assert plain / runs < covered / runs


def test_nothing_and_one_patient_have_no_clustered_interval() -> None:
    assert share([]).share is None
    one = share([("a", True), ("a", False)])
    assert one.share == 0.5 and one.clustered_low is None
