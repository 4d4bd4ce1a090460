"""Limits of agreement against the authors' own examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests.evaluation.published import CARDIAC, PEFR_LARGE, PEFR_MINI
from tests.evaluation.quick import quick
from vfscreen.evaluation.bland_altman import limits_of_agreement
from vfscreen.evaluation.resampling import Bootstrap

FEW = Bootstrap(resamples=300)


def test_peak_flow_of_1986() -> None:
    """Lancet 327 (1986) 307-310: mean -2.1, SD 38.8, limits -79.7 and 75.5 (with 2 SD, from rounded figures), 95 %
    intervals -22.0 to 17.8 of the bias, -114.3 to -45.1 and 40.9 to 110.1 of the limits."""
    found = limits_of_agreement(PEFR_LARGE, PEFR_MINI, multiplier=2.0)
    assert (found.n, found.patients, found.method) == (17, 17, "bland_altman_1986")
    assert (found.bias, found.sd) == pytest.approx((-2.1, 38.8), abs=0.05)
    assert (found.low, found.high) == pytest.approx((-79.7, 75.5), abs=0.1)
    assert found.bias_interval == pytest.approx((-22.0, 17.8), abs=0.1)
    assert found.low_interval == pytest.approx((-114.3, -45.1), abs=0.3)
    assert found.high_interval == pytest.approx((40.9, 110.1), abs=0.3)


def test_cardiac_output_of_2007_several_pairs_a_patient() -> None:
    """J Biopharm Stat 17 (2007) 571-582: residual mean square 0.170714026, total variance 0.98133606, SD 0.99062408,
    bias 0.6021667, limits -1.3394565 to 2.5437899 where the true value varies."""
    subject, rv, ic = np.array(CARDIAC).T
    found = limits_of_agreement(rv, ic, subject.astype(int), FEW, multiplier=1.96)
    assert (found.n, found.patients, found.method) == (60, 12, "bland_altman_2007")
    assert found.bias == pytest.approx(0.6021667, abs=5e-8)
    assert found.sd_within**2 == pytest.approx(0.170714026, abs=5e-8)
    assert found.sd**2 == pytest.approx(0.98133606, abs=1e-7)
    assert found.sd == pytest.approx(0.99062408, abs=1e-7)
    assert (found.low, found.high) == pytest.approx((-1.3394565, 2.5437899), abs=1e-6)
    assert found.low_interval[0] < found.low < found.low_interval[1]


def test_ignoring_the_patients_gives_the_papers_too_narrow_limits() -> None:
    """The same paper: SD 0.9610571 when the 60 pairs are taken as independent."""
    _, rv, ic = np.array(CARDIAC).T
    assert limits_of_agreement(rv, ic).sd == pytest.approx(0.9610571, abs=5e-8)


pairs = npst.arrays(np.float64, (12, 2), elements=st.floats(10, 40).map(lambda v: round(v, 3)))


@quick
@given(pairs)
def test_swapping_the_methods_mirrors_the_limits(data: np.ndarray) -> None:
    ahead, back = limits_of_agreement(data[:, 0], data[:, 1]), limits_of_agreement(data[:, 1], data[:, 0])
    assert (ahead.bias, ahead.low) == pytest.approx((-back.bias, -back.high))


@quick
@given(pairs, st.floats(-5, 5))
def test_a_shift_moves_bias_and_limits_and_nothing_else(data: np.ndarray, shift: float) -> None:
    patients = np.arange(12) // 3
    before = limits_of_agreement(data[:, 0], data[:, 1], patients, FEW)
    after = limits_of_agreement(data[:, 0] + shift, data[:, 1], patients, FEW)
    assert after.bias == pytest.approx(before.bias + shift)
    assert after.high == pytest.approx(before.high + shift, abs=1e-6)
    assert after.sd == pytest.approx(before.sd, abs=1e-6)


def test_equal_measurements_agree_within_nothing() -> None:
    found = limits_of_agreement([20.0, 25.0, 30.0], [20.0, 25.0, 30.0], ["a", "a", "b"], FEW)
    assert (found.bias, found.sd, found.low, found.high) == (0, 0, 0, 0)


def test_all_pairs_of_one_patient_have_limits_without_intervals() -> None:
    found = limits_of_agreement([20.0, 26.0, 30.0], [20.0, 25.0, 31.0], ["a", "a", "a"], FEW)
    assert found.sd == pytest.approx(1.0)
    assert found.bias_interval is None


def test_too_little_or_missing_is_refused() -> None:
    with pytest.raises(ValueError, match="two pairs"):
        limits_of_agreement([1.0], [1.0])
    with pytest.raises(ValueError, match="finite"):
        limits_of_agreement([1.0, np.nan], [1.0, 2.0])
