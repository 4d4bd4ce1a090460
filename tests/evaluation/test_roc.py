"""Areas and their comparison against pROC's printed figures, and properties that hold of any data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.metrics import average_precision_score

from tests.evaluation.published import asah, van_dyke
from tests.evaluation.quick import quick
from vfscreen.evaluation.resampling import Bootstrap
from vfscreen.evaluation.roc import (
    _average_precisions,
    auc_covariance,
    auc_metric,
    average_precision,
    compare_auc,
    pr_points,
    roc_points,
)

TRUTH, SCORES = asah()
FEW = Bootstrap(resamples=200)

labelled = st.integers(8, 40).flatmap(
    lambda n: st.tuples(
        npst.arrays(np.bool_, n),
        npst.arrays(np.float64, n, elements=st.integers(-20, 20).map(float)),
        npst.arrays(np.float64, n, elements=st.integers(-20, 20).map(float)),
    )
)


def two_of_each(truth: np.ndarray) -> bool:
    return 2 <= truth.sum() <= truth.size - 2


@pytest.mark.parametrize(
    ("name", "area", "variance"),
    [
        ("wfns", 0.823678861788618, 0.00146991470882363),
        ("ndka", 0.611957994579946, 0.0031908105493913),
        ("s100b", 0.731368563685637, 0.00266868245717244),
    ],
)
def test_area_and_delong_variance_as_proc_has_them(name: str, area: float, variance: float) -> None:
    """pROC's own test suite (tests/testthat, var and auc of aSAH); its manual prints 0.8237, 0.6120 and 0.7314."""
    areas, covariance = auc_covariance(TRUTH, SCORES[name])
    assert areas[0] == pytest.approx(area, rel=1e-12)
    assert covariance[0, 0] == pytest.approx(variance, rel=1e-10)


def test_interval_as_proc_prints_it() -> None:
    """ci.auc of ndka: 0.5012-0.7227 (DeLong)."""
    metric = auc_metric(TRUTH, SCORES["ndka"])
    assert (metric.low, metric.high) == pytest.approx((0.501244999271703, 0.722670989888189), rel=1e-10)
    assert (metric.interval, metric.n) == ("delong", 113)


@pytest.mark.parametrize(
    ("first", "second", "z", "p_value", "low", "high"),
    [
        ("wfns", "s100b", 2.20898359144091, 0.0271757822291882, 0.0104061769564846, 0.174214419249478),
        ("wfns", "ndka", 2.79777591868904, 0.00514557970691098, 0.0634011709339876, 0.3600405634833566),
        ("ndka", "s100b", -1.39077002573558, 0.164295175223054, -0.2876917446341914, 0.0488706064228094),
    ],
)
def test_paired_comparison_as_proc_prints_it(
    first: str, second: str, z: float, p_value: float, low: float, high: float
) -> None:
    """pROC's test suite, roc.test(method = "delong", paired = TRUE); its manual prints Z = 2.209, p-value = 0.02718."""
    found = compare_auc(TRUTH, SCORES[first], SCORES[second])
    assert (found.z, found.p_value) == pytest.approx((z, p_value), rel=1e-9)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9)


def test_van_dykes_readers_differences() -> None:
    """Areas of reader 4 on both sequences as MRMCaov prints them."""
    truth, ratings = van_dyke()
    found = compare_auc(truth, ratings[0, 3], ratings[1, 3])
    assert found.difference == pytest.approx(-0.02624799, abs=5e-9)


@quick
@given(labelled)
def test_area_is_mann_whitneys_statistic_and_covariance_is_delongs(data: tuple[np.ndarray, ...]) -> None:
    """Against the definition: structural components pair by pair."""
    truth, *scores = data
    assume(two_of_each(truth))
    areas, covariance = auc_covariance(truth, scores)
    kernels = []
    for s in scores:
        difference = s[truth][:, None] - s[~truth][None]
        kernels.append((difference > 0) + 0.5 * (difference == 0))
    v10 = np.array([k.mean(axis=1) for k in kernels])
    v01 = np.array([k.mean(axis=0) for k in kernels])
    expected = np.cov(v10) / v10.shape[1] + np.cov(v01) / v01.shape[1]
    assert areas == pytest.approx([k.mean() for k in kernels])
    assert covariance == pytest.approx(expected, abs=1e-12)


@quick
@given(labelled)
def test_a_monotone_change_of_scores_changes_nothing_and_a_reversal_mirrors(data: tuple[np.ndarray, ...]) -> None:
    truth, score, _ = data
    assume(two_of_each(truth))
    area, variance = auc_covariance(truth, score)
    assert auc_covariance(truth, np.exp(score / 7))[0] == pytest.approx(area)
    mirrored, mirrored_variance = auc_covariance(truth, -score)
    assert mirrored == pytest.approx(1 - area)
    assert mirrored_variance == pytest.approx(variance, abs=1e-12)
    assert auc_covariance(~truth, score)[0] == pytest.approx(1 - area)


@quick
@given(labelled)
def test_comparison_is_antisymmetric(data: tuple[np.ndarray, ...]) -> None:
    truth, first, second = data
    assume(two_of_each(truth))
    ahead, back = compare_auc(truth, first, second), compare_auc(truth, second, first)
    assert (ahead.difference, ahead.low) == pytest.approx((-back.difference, -back.high))
    assert ahead.p_value == pytest.approx(back.p_value)
    assert compare_auc(truth, first, first).p_value == 1.0


@quick
@given(labelled)
def test_one_item_a_patient_is_delongs_variance(data: tuple[np.ndarray, ...]) -> None:
    """Obuchowski (1997): the clustered estimator with clusters of one is that of DeLong et al. (1988)."""
    truth, first, second = data
    assume(two_of_each(truth))
    patients = [f"p{i}" for i in range(truth.size)]
    alone, clustered = auc_covariance(truth, [first, second]), auc_covariance(truth, [first, second], patients)
    assert clustered[1] == pytest.approx(alone[1], abs=1e-12)


def test_items_repeated_within_patients_add_nothing() -> None:
    """Every item three times over: DeLong believes it has three times the data, the clustered estimator does not."""
    truth, score = np.repeat(TRUTH, 3), np.repeat(SCORES["s100b"], 3)
    single = auc_metric(TRUTH, SCORES["s100b"])
    naive = auc_metric(truth, score)
    clustered = auc_metric(truth, score, np.repeat(np.arange(113), 3))
    assert naive.high - naive.low < 0.62 * (single.high - single.low)
    assert clustered.high - clustered.low == pytest.approx(single.high - single.low, rel=1e-9)
    assert clustered.clusters == 113


def test_perfect_and_undefined_areas_say_so() -> None:
    truth = np.array([True, True, False, False, False])
    perfect = auc_metric(truth, truth.astype(float))
    assert (perfect.estimate, perfect.low, perfect.high) == (1.0, 1.0, 1.0)
    assert "separation" in perfect.note
    assert auc_metric(np.ones(4, dtype=bool), np.arange(4.0)).reason == "the reference has only one class"
    one_positive = auc_metric(np.array([True, False, False]), np.array([2.0, 1.0, 3.0]))
    assert (one_positive.estimate, one_positive.low) == (0.5, None)
    assert "two patients" in one_positive.note


@quick
@given(labelled)
def test_curves_run_from_corner_to_corner_without_turning_back(data: tuple[np.ndarray, ...]) -> None:
    truth, score, _ = data
    assume(two_of_each(truth))
    roc, pr = roc_points(truth, score), pr_points(truth, score)
    assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1]) == (0, 0, 1, 1)
    assert (np.diff(roc.x) >= 0).all() and (np.diff(roc.y) >= 0).all()
    assert np.trapezoid(roc.y, roc.x) == pytest.approx(auc_covariance(truth, score)[0][0])
    assert (np.diff(pr.x) <= 0).all() and ((pr.y >= 0) & (pr.y <= 1)).all()


def test_average_precision_of_nothing_known_is_the_prevalence() -> None:
    metric = average_precision(TRUTH, np.zeros(113), bootstrap=FEW)
    assert metric.estimate == pytest.approx(41 / 113)
    assert metric.low < 41 / 113 < metric.high
    assert average_precision(TRUTH, TRUTH.astype(float), bootstrap=FEW).estimate == 1.0


@quick
@given(labelled, st.integers(0, 1000))
def test_average_precision_of_drawn_patients_is_scikit_learns(data: tuple[np.ndarray, ...], seed: int) -> None:
    """The draws are worked out together; each must be what scikit-learn says of that draw."""
    truth, score, _ = data
    assume(two_of_each(truth))
    weights = np.random.default_rng(seed).integers(0, 3, (4, truth.size)).astype(float)
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    together = _average_precisions(truth[order], ends, weights[:, order])
    for found, w in zip(together, weights, strict=True):
        if w[truth].any():
            assert found == pytest.approx(average_precision_score(truth, score, sample_weight=w))
        else:
            assert np.isnan(found)


def test_values_that_are_missing_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        auc_metric([True, False], [np.nan, 1.0])
    with pytest.raises(ValueError, match="do not go with"):
        auc_metric([True, False], [1.0])
