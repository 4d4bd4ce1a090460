"""Obuchowski-Rockette against the printed output of MRMCaov on Van Dyke's data.

Smith, Hillis, Pesce, "MRMCaov: Multi-Reader Multi-Case Analysis of Variance in R" (the package's article, docs/jss);
figures as printed there for empirical_auc with DeLong and jackknife covariances and for binary_sens.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.published import van_dyke
from tests.evaluation.quick import quick
from vfscreen.evaluation.mrmc import (
    ReaderStudy,
    delong_figures,
    jackknife_figures,
    model_against_readers,
    reader_study,
)
from vfscreen.evaluation.roc import auc_covariance

TRUTH, RATINGS = van_dyke()


def printed(value: float, digits: int) -> object:
    """Equal to what was printed with so many significant digits."""
    return pytest.approx(value, abs=0.51 * 10 ** (math.floor(math.log10(abs(value))) - digits + 1))


def auc(truth: np.ndarray, rating: np.ndarray) -> float:
    positive, negative = rating[truth], rating[~truth]
    above = (positive[:, None] > negative[None]).mean()
    return float(above + 0.5 * (positive[:, None] == negative[None]).mean())


def check_delong(study: ReaderStudy) -> None:
    c = study.covariances
    assert c.error == printed(0.0007921325, 7)
    assert c.cov1 == printed(0.0003420090, 7)
    assert c.cov2 == printed(0.0003395265, 7)
    assert c.cov3 == printed(0.0002358497, 7)
    assert study.mean_square_condition == printed(0.004796171, 7)
    assert study.mean_square_interaction == printed(0.0005510306, 7)
    assert study.statistic == printed(4.484854, 7)
    assert (study.df1, study.df2) == (1, printed(15.06611, 7))
    assert study.p_value == printed(0.05123303, 7)


def test_areas_of_single_readers() -> None:
    areas, covariance = delong_figures(TRUTH, RATINGS)
    assert areas[0] == pytest.approx([0.9196457, 0.8587762, 0.9038647, 0.9731079, 0.8297907], abs=5e-8)
    assert areas[1] == pytest.approx([0.9478261, 0.9053140, 0.9217391, 0.9993559, 0.9299517], abs=5e-8)
    assert covariance.shape == (10, 10)


def test_random_readers_delong() -> None:
    study = reader_study(*delong_figures(TRUTH, RATINGS))
    check_delong(study)
    (difference,) = study.differences
    assert difference.difference == printed(-0.04380032, 7)
    assert difference.standard_error == printed(0.0206825, 6)
    assert (difference.low, difference.high) == (printed(-0.0878671960, 9), printed(0.0002665519, 7))
    assert difference.p_value == printed(0.05123303, 7)
    spin_echo, cine = study.means
    assert (spin_echo.mean, spin_echo.standard_error, spin_echo.df) == (
        printed(0.8970370, 7), printed(0.03307642, 7), printed(12.59597, 7)
    )  # fmt: skip
    assert (spin_echo.low, spin_echo.high) == (printed(0.8253461, 7), printed(0.9687280, 7))
    assert (cine.mean, cine.standard_error, cine.df) == (
        printed(0.9408374, 7), printed(0.02150464, 7), printed(12.56530, 7)
    )  # fmt: skip
    assert (cine.low, cine.high) == (printed(0.8942155, 7), printed(0.9874592, 7))


def test_fixed_readers_jackknife() -> None:
    study = reader_study(*jackknife_figures(TRUTH, RATINGS, auc), readers="fixed")
    c = study.covariances
    assert (c.error, c.cov1) == (printed(0.0008022883, 7), printed(0.0003466137, 7))
    assert (c.cov2, c.cov3) == (printed(0.0003440748, 7), printed(0.0002390284, 7))
    assert (study.statistic, study.df1, study.p_value) == (printed(5.475953, 7), 1, printed(0.01927984, 7))
    (difference,) = study.differences
    assert (difference.standard_error, difference.p_value) == (printed(0.01871748, 7), printed(0.01927984, 7))
    assert (difference.low, difference.high) == (printed(-0.08048591, 7), printed(-0.00711473, 6))
    spin_echo, cine = study.means
    assert (spin_echo.standard_error, spin_echo.low) == (printed(0.02428971, 7), printed(0.8494301, 7))
    assert (cine.standard_error, cine.high) == (printed(0.01677632, 7), printed(0.9737183, 7))


def test_sensitivity_by_jackknife_over_positive_cases() -> None:
    figures, covariance = jackknife_figures(
        TRUTH, RATINGS >= 3, lambda truth, call: float(call[truth].mean()), cases=np.flatnonzero(TRUTH)
    )
    assert figures[0] == pytest.approx([0.889, 0.778, 0.822, 0.933, 0.689], abs=5e-4)
    study = reader_study(figures, covariance)
    c = study.covariances
    assert (c.error, c.cov1) == (printed(0.0023681257, 7), printed(0.0009943883, 7))
    assert (c.cov2, c.cov3) == (printed(0.0010145903, 7), printed(0.0006604938, 7))
    assert (study.statistic, study.df2, study.p_value) == (
        printed(6.689493, 7), printed(15.71732, 7), printed(0.02008822, 7)
    )  # fmt: skip
    assert [m.df for m in study.means] == [printed(14.456811, 8), printed(7.575855, 7)]


def test_one_reader_is_refused_as_random_and_allowed_as_fixed() -> None:
    figures, covariance = delong_figures(TRUTH, RATINGS[:, :1])
    with pytest.raises(ValueError, match="two readers"):
        reader_study(figures, covariance)
    study = reader_study(figures, covariance, readers="fixed")
    assert study.differences[0].difference == printed(-0.02818035, 7)


def test_order_of_readers_and_cases_does_not_matter() -> None:
    shuffle = np.random.default_rng(3)
    cases, readers = shuffle.permutation(114), shuffle.permutation(5)
    check_delong(reader_study(*delong_figures(TRUTH[cases], RATINGS[:, readers][:, :, cases])))


def test_swapped_conditions_turn_the_difference_round() -> None:
    (ahead,) = reader_study(*delong_figures(TRUTH, RATINGS)).differences
    (back,) = reader_study(*delong_figures(TRUTH, RATINGS[::-1])).differences
    assert back.difference == pytest.approx(-ahead.difference)
    assert (back.low, back.high) == pytest.approx((-ahead.high, -ahead.low))
    assert back.p_value == pytest.approx(ahead.p_value)


def test_a_model_equal_to_one_reader_differs_from_the_mean_of_readers_by_that_readers_lead() -> None:
    found = model_against_readers(TRUTH, RATINGS[0], RATINGS[0, 3])
    areas, _ = auc_covariance(TRUTH, RATINGS[0])
    assert found.mean == pytest.approx(areas.mean() - areas[3])
    assert found.low < found.mean < found.high


def test_a_model_without_information_makes_the_difference_the_readers_own_mean() -> None:
    """A constant score has area 1/2 without variance: what is left is the single-condition analysis, shifted."""
    constant = model_against_readers(TRUTH, RATINGS[0], np.zeros(114))
    alone = reader_study(*delong_figures(TRUTH, RATINGS[:1])).means[0]
    assert constant.mean == pytest.approx(alone.mean - 0.5)
    assert (constant.standard_error, constant.df) == pytest.approx((alone.standard_error, alone.df))


@quick
@given(st.integers(0, 2**32 - 1))
def test_conditions_with_equal_ratings_are_not_told_apart(seed: int) -> None:
    ratings = np.random.default_rng(seed).integers(1, 6, (1, 3, 40))
    study = reader_study(*delong_figures(np.arange(40) < 15, np.repeat(ratings, 2, axis=0)))
    assert study.differences[0].difference == 0
    assert study.p_value == pytest.approx(1.0)
