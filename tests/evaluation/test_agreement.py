"""Kappa against printed examples and its properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests.evaluation.published import SKIN
from tests.evaluation.quick import quick
from vfscreen.evaluation.agreement import WEIGHTS, agreement_table, kappa_metrics, kappa_of_tables
from vfscreen.evaluation.resampling import Bootstrap

FEW = Bootstrap(resamples=200)
gradings = st.integers(2, 30).flatmap(
    lambda n: st.tuples(*(npst.arrays(np.int64, n, elements=st.integers(0, 3)) for _ in range(2)))
)


def items(table: object) -> tuple[np.ndarray, np.ndarray]:
    """Two gradings that give a table."""
    counts = np.asarray(table)
    rows, columns = np.indices(counts.shape)
    return np.repeat(rows.ravel(), counts.ravel()), np.repeat(columns.ravel(), counts.ravel())


@pytest.mark.parametrize(
    ("weights", "kappa", "error", "low", "high"),
    [("none", 0.3449, 0.0724, 0.2030, 0.4868), ("linear", 0.5082, 0.0655, 0.3798, 0.6366)],
)
def test_skin_condition_as_sas_prints_it(weights: str, kappa: float, error: float, low: float, high: float) -> None:
    """SAS/STAT User's Guide, The FREQ Procedure, Agreement Study: simple and (Cicchetti-Allison) weighted kappa."""
    asymptotic, bootstrap = kappa_metrics(*items(SKIN), weights, bootstrap=Bootstrap(resamples=1000))
    assert asymptotic.estimate == pytest.approx(kappa, abs=5.1e-5)
    assert (asymptotic.low, asymptotic.high) == pytest.approx((low, high), abs=5.1e-5)
    assert (asymptotic.high - asymptotic.low) / 2 / 1.959964 == pytest.approx(error, abs=5.1e-5)
    # another way to the same interval
    assert (bootstrap.low, bootstrap.high) == pytest.approx((low, high), abs=0.03)


def test_quadratic_weights_on_a_table_worked_by_hand() -> None:
    """Two grades of 2 of 4 items apart by one: 1 - (2/4 * 1/9) / expected, the expected from the margins."""
    first, second = np.array([0, 1, 2, 3]), np.array([0, 1, 3, 2])
    apart = (np.subtract.outer(np.arange(4), np.arange(4)) / 3.0) ** 2
    expected = apart.sum() / 16  # all margins are 1/4
    (asymptotic, _) = kappa_metrics(first, second, "quadratic", bootstrap=FEW)
    assert asymptotic.estimate == pytest.approx(1 - (2 / 4 / 9) / expected)


@quick
@given(gradings, st.sampled_from(WEIGHTS))
def test_kappa_is_symmetric_and_never_above_one(data: tuple[np.ndarray, np.ndarray], weights: str) -> None:
    first, second = data
    ahead = kappa_metrics(first, second, weights, bootstrap=FEW)[0]
    back = kappa_metrics(second, first, weights, bootstrap=FEW)[0]
    assert ahead.estimate == pytest.approx(back.estimate)
    assert ahead.estimate is None or ahead.estimate <= 1 + 1e-12


@quick
@given(gradings)
def test_reversing_the_scale_changes_nothing(data: tuple[np.ndarray, np.ndarray]) -> None:
    first, second = data
    for weights in WEIGHTS:
        ahead = kappa_metrics(first, second, weights, bootstrap=FEW)[0].estimate
        assert ahead == pytest.approx(kappa_metrics(3 - first, 3 - second, weights, bootstrap=FEW)[0].estimate)


@quick
@given(gradings)
def test_a_grading_agrees_with_itself_completely(data: tuple[np.ndarray, np.ndarray]) -> None:
    first, _ = data
    assume(len(set(first)) > 1)
    for weights in WEIGHTS:
        for metric in kappa_metrics(first, first, weights, bootstrap=FEW):
            assert metric.estimate == pytest.approx(1.0)


def test_with_two_grades_weights_make_no_difference() -> None:
    table = np.array([[20.0, 5.0], [10.0, 15.0]])
    found = [float(kappa_of_tables(table, w)) for w in WEIGHTS]
    assert found == pytest.approx([0.4] * 3)  # Cohen's own arithmetic: (0.7 - 0.5) / (1 - 0.5)


def test_one_grade_only_has_no_kappa_and_says_why() -> None:
    (metric,) = kappa_metrics([0, 0], [0, 0], "linear", bootstrap=FEW)
    assert metric.estimate is None
    assert "one and the same grade" in metric.reason


def test_a_grade_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="not one of"):
        agreement_table([0, 4], [0, 1])
    with pytest.raises(ValueError, match="same items"):
        agreement_table([0], [0, 1])
