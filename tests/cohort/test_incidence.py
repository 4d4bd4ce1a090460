"""Interval-censored rates against another implementation, and what they say where data say little."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.cohort.incidence import censored_rate

years = st.floats(0.05, 12)


@given(st.lists(years, min_size=1, max_size=30), st.lists(years, min_size=1, max_size=30))
def test_it_is_the_complementary_log_log_model(events: list[float], others: list[float]) -> None:
    """statsmodels' binomial model with cloglog link and log time as offset has the same maximum."""
    found = censored_rate(events, sum(others))
    happened = np.r_[np.ones(len(events)), np.zeros(len(others))]
    family = sm.families.Binomial(link=sm.families.links.CLogLog())
    offset = np.log(np.r_[events, others])
    start = [math.log(len(events) / (sum(events) + sum(others)))]
    model = sm.GLM(happened, np.ones((happened.size, 1)), family=family, offset=offset)
    fit = model.fit(start_params=start, method="newton", disp=0, maxiter=200)  # its default diverges for few intervals
    assert found.rate is not None
    assert math.isclose(found.rate, math.exp(fit.params[0]), rel_tol=1e-4)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.rate < found.high


def test_equal_intervals_have_a_closed_form() -> None:
    """3 events in 10 intervals of 2 years: 1 - exp(-2 r) = 0.3; limits where the log-likelihood is 1.9207 lower."""
    found = censored_rate([2.0] * 3, 14.0)
    assert found.rate is not None
    assert math.isclose(found.rate, -math.log(0.7) / 2, rel_tol=1e-9)
    top = 3 * math.log(0.3) + 7 * math.log(0.7)
    for limit in (found.low, found.high):
        assert limit is not None
        p = 1 - math.exp(-2 * limit)
        assert math.isclose(top - (3 * math.log(p) + 7 * math.log(1 - p)), 1.920729, abs_tol=1e-5)


def test_without_events_there_is_an_upper_limit() -> None:
    found = censored_rate([], 100.0)
    assert (found.rate, found.low) == (0.0, 0.0)
    assert found.high is not None
    assert math.isclose(found.high, 1.920729 / 100, rel_tol=1e-5)


def test_without_follow_up_nothing_is_said() -> None:
    found = censored_rate([], 0.0)
    assert (found.rate, found.low, found.high) == (None, None, None)


def test_an_event_in_every_interval_leaves_a_lower_limit_only() -> None:
    found = censored_rate([1.0, 2.0], 0.0)
    assert (found.rate, found.high) == (None, None)
    assert found.low is not None
    assert found.low > 0


@pytest.mark.parametrize(("events", "others"), [([0.0], 1.0), ([-1.0], 1.0), ([1.0], -1.0)])
def test_intervals_without_length_are_refused(events: list[float], others: float) -> None:
    with pytest.raises(ValueError, match="without length"):
        censored_rate(events, others)
