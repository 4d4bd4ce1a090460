"""Probabilities against outcomes whose calibration is known."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests.evaluation.quick import quick
from vfscreen.evaluation.calibration import brier_score, expected_calibration_error, recalibration, reliability
from vfscreen.evaluation.resampling import Bootstrap

FEW = Bootstrap(resamples=300)


def simulated(n: int = 20_000, intercept: float = 0.0, slope: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes of known log-odds, and probabilities of which those are intercept + slope * log-odds."""
    generator = np.random.default_rng(11)
    log_odds = generator.normal(-1.0, 1.5, n)
    true = 1 / (1 + np.exp(-(intercept + slope * log_odds)))
    return generator.random(n) < true, 1 / (1 + np.exp(-log_odds))


def test_perfect_calibration_is_found() -> None:
    truth, probability = simulated()
    intercept, slope = recalibration(truth, probability)
    assert intercept.low < 0 < intercept.high
    assert slope.low < 1 < slope.high
    assert slope.high - slope.low < 0.2
    assert expected_calibration_error(truth, probability, bootstrap=FEW).estimate < 0.015
    assert all(b.observed == pytest.approx(b.mean_probability, abs=0.03) for b in reliability(truth, probability, 5))


def test_planted_intercept_and_slope_are_found() -> None:
    truth, probability = simulated(slope=0.6)
    slope = recalibration(truth, probability)[1]
    assert slope.estimate == pytest.approx(0.6, abs=0.05)
    truth, probability = simulated(intercept=0.8)
    intercept, slope = recalibration(truth, probability)
    assert intercept.estimate == pytest.approx(0.8, abs=0.06)
    assert slope.low < 1 < slope.high


def test_brier_and_ece_worked_by_hand() -> None:
    truth, probability = [True, False, True, False], [0.9, 0.1, 0.6, 0.6]
    brier, skill = brier_score(truth, probability, bootstrap=FEW)
    assert brier.estimate == pytest.approx((0.01 + 0.01 + 0.16 + 0.36) / 4)
    assert skill.estimate == pytest.approx(1 - 0.135 / 0.25)
    # bins 0.9: |1 - 0.9|; 0.1: |0 - 0.1|; 0.6: |0.5 - 0.6| of two items
    error = expected_calibration_error(truth, probability, bootstrap=FEW)
    assert error.estimate == pytest.approx((0.1 + 0.1 + 2 * 0.1) / 4)


def test_clusters_widen_the_interval_of_the_slope() -> None:
    truth, probability = simulated(300)
    single = recalibration(truth, probability)[1]
    thrice = recalibration(np.repeat(truth, 3), np.repeat(probability, 3), np.repeat(np.arange(300), 3))[1]
    assert thrice.estimate == pytest.approx(single.estimate)
    assert thrice.high - thrice.low == pytest.approx(single.high - single.low, rel=0.02)


def test_the_intercept_is_that_of_statsmodels_where_that_converges() -> None:
    truth, probability = simulated(400, intercept=0.5)
    patients = np.arange(400) // 4
    log_odds = np.log(probability / (1 - probability))
    fitted = sm.GLM(truth.astype(float), np.ones((400, 1)), family=sm.families.Binomial(), offset=log_odds).fit(
        cov_type="cluster", cov_kwds={"groups": patients}
    )
    intercept = recalibration(truth, probability, patients)[0]
    assert intercept.estimate == pytest.approx(fitted.params[0], abs=1e-8)
    assert (intercept.low, intercept.high) == pytest.approx(tuple(fitted.conf_int()[0]), abs=1e-7)


def test_an_extreme_probability_does_not_run_away() -> None:
    """Iterated least squares gives -1.8e15 here; the root of the one equation is near zero."""
    intercept = recalibration([1, 1, 0, 0, 0, 1], [0.18, 0.27, 0.03, 0.18, 0.0, 0.0])[0]
    assert -20 < intercept.estimate < 20


def test_what_cannot_be_fitted_says_why() -> None:
    separated = recalibration([True, True, False, False], [0.9, 0.8, 0.2, 0.1])
    assert separated[1].estimate is None and "separate" in separated[1].reason
    assert "one class" in recalibration([True, True], [0.2, 0.4])[0].reason
    assert recalibration([True, False], [0.4, 0.4])[1].reason == "all probabilities are equal"
    assert "no log-odds" in recalibration([True, False], [1.0, 0.0])[0].reason
    assert "taken as" in recalibration([True, False, True, False], [1.0, 0.2, 0.3, 0.6])[0].note
    with pytest.raises(ValueError, match=r"outside 0..1"):
        brier_score([True], [1.2])


@quick
@given(
    st.integers(1, 40).flatmap(
        lambda n: st.tuples(npst.arrays(np.bool_, n), npst.arrays(np.float64, n, elements=st.floats(0, 1)))
    )
)
def test_bins_hold_every_item_once_and_errors_are_between_0_and_1(data: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probability = data
    bins = reliability(truth, probability)
    assert sum(b.n for b in bins) == truth.size
    assert sum(b.positives for b in bins) == truth.sum()
    assert 0 <= expected_calibration_error(truth, probability, bootstrap=FEW).estimate <= 1
    brier = brier_score(truth, probability, bootstrap=FEW)[0]
    assert brier.estimate == pytest.approx(brier_score(~truth, 1 - probability, bootstrap=FEW)[0].estimate)
