"""Drawing patients."""

from __future__ import annotations

import numpy as np
import pytest

from vfscreen.evaluation.resampling import (
    Bootstrap,
    bootstrap_sums,
    cluster_codes,
    cluster_sums,
    drawn_totals,
    draws,
    percentile_interval,
)


def test_every_draw_has_as_many_patients_as_there_are() -> None:
    drawn = np.concatenate(list(draws(7, Bootstrap(resamples=50))))
    assert drawn.shape == (50, 7)
    assert (drawn.sum(axis=1) == 7).all()
    assert drawn.std() > 0


def test_the_mean_of_normal_numbers_has_the_interval_of_its_standard_error() -> None:
    """A known answer: +- 1.96 sd / sqrt(n)."""
    values = np.random.default_rng(5).normal(3.0, 2.0, 400)
    sums = np.stack([values, np.ones(400)], axis=1)
    low, high = bootstrap_sums(sums, lambda t: t[:, 0] / t[:, 1], Bootstrap(resamples=4000)) or (0, 0)
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.08 * half)


def test_the_same_seed_gives_the_same_interval() -> None:
    sums = np.random.default_rng(1).normal(size=(30, 2))
    intervals = {bootstrap_sums(sums, lambda t: t[:, 0], Bootstrap(seed=s, resamples=300)) for s in (1, 1, 2)}
    assert len(intervals) == 2


def test_blocks_of_draws_do_not_change_totals() -> None:
    """Many patients come in several blocks; the totals have one row a draw all the same."""
    sums = np.ones((60_000, 1))
    assert (drawn_totals(sums, Bootstrap(resamples=200)) == 60_000).all()


def test_codes_and_sums_follow_the_patients() -> None:
    codes, k = cluster_codes(["b", "a", "b"], 3)
    assert k == 2
    assert cluster_sums(np.array([1.0, 10.0, 100.0]), codes, k).tolist() == [10.0, 101.0]
    assert cluster_codes(None, 3)[1] == 3
    with pytest.raises(ValueError, match="do not go with"):
        cluster_codes(["a"], 2)


def test_one_patient_or_an_undefined_statistic_has_no_interval() -> None:
    assert bootstrap_sums(np.ones((1, 1)), lambda t: t[:, 0], Bootstrap()) is None
    assert percentile_interval(np.array([np.nan, np.nan, 1.0])) is None
