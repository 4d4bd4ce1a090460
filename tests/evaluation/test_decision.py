"""Net benefit by its definition (Vickers and Elkin, Med Decis Making 26 (2006) 565-574)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests.evaluation.quick import quick
from vfscreen.evaluation.decision import decision_curve
from vfscreen.evaluation.resampling import Bootstrap

FEW = Bootstrap(resamples=100)


def test_a_curve_worked_by_hand() -> None:
    """20 % prevalence, a test of sensitivity 0.75 and specificity 0.875, at a threshold of 20 % (odds 1 to 4)."""
    truth = np.repeat([True, False], [20, 80])
    probability = np.concatenate([np.repeat([0.9, 0.1], [15, 5]), np.repeat([0.9, 0.1], [10, 70])])
    (point,) = decision_curve(truth, probability, bootstrap=FEW, thresholds=(0.2,))
    assert point.model == pytest.approx(15 / 100 - 10 / 100 / 4)
    assert point.all == pytest.approx(0.2 - 0.8 / 4)
    assert point.low < point.model < point.high


@quick
@given(
    st.integers(1, 40).flatmap(
        lambda n: st.tuples(npst.arrays(np.bool_, n), npst.arrays(np.float64, n, elements=st.floats(0, 1)))
    )
)
def test_no_rule_is_better_than_knowing(data: tuple[np.ndarray, np.ndarray]) -> None:
    truth, probability = data
    for point in decision_curve(truth, probability, bootstrap=FEW, thresholds=(0.1, 0.5)):
        assert point.model <= truth.mean() + 1e-12
        assert point.all <= truth.mean() + 1e-12
    for point in decision_curve(truth, truth.astype(float), bootstrap=FEW, thresholds=(0.1, 0.9)):
        assert point.model == pytest.approx(truth.mean())


def test_a_threshold_of_one_is_no_threshold() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        decision_curve([True], [0.5], thresholds=(1.0,))
    assert decision_curve([], []) == []
