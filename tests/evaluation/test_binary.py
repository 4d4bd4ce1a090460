"""Calls against truth: published intervals, hand counts, properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests.evaluation.quick import quick
from vfscreen.evaluation.binary import Confusion, binary_metrics, confusion, weighted_metrics, wilson
from vfscreen.evaluation.metric import Metric
from vfscreen.evaluation.resampling import Bootstrap

FEW = Bootstrap(resamples=200)
calls = st.integers(1, 30).flatmap(lambda n: st.tuples(npst.arrays(np.bool_, n), npst.arrays(np.bool_, n)))


def named(metrics: list[Metric], interval: str = "wilson") -> dict[str, Metric]:
    return {m.name: m for m in metrics if m.interval in (interval, None)}


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_newcombe_prints_it(successes: int, n: int, low: float, high: float) -> None:
    """Newcombe, Stat Med 17 (1998) 857-872, Table I, method 3 (score without continuity correction)."""
    assert wilson(successes, n) == pytest.approx((low, high), abs=5.1e-5)


def test_wilson_of_nothing_is_nothing() -> None:
    assert wilson(0, 0) is None
    with pytest.raises(ValueError, match="no proportion"):
        wilson(3, 2)


def test_a_table_counted_by_hand() -> None:
    truth = np.repeat([True, False], [10, 90])
    call = np.concatenate([np.repeat([True, False], [8, 2]), np.repeat([True, False], [9, 81])])
    assert confusion(truth, call) == Confusion(tp=8, fp=9, fn=2, tn=81)
    found = named(binary_metrics(truth, call, bootstrap=FEW))
    assert found["sensitivity"].estimate == 0.8
    assert found["specificity"].estimate == 0.9
    assert found["ppv"].estimate == found["precision"].estimate == pytest.approx(8 / 17)
    assert found["npv"].estimate == pytest.approx(81 / 83)
    assert found["accuracy"].estimate == 0.89
    assert found["prevalence"].estimate == 0.1
    assert (found["ppv"].numerator, found["ppv"].denominator) == (8, 17)
    f1 = next(m for m in binary_metrics(truth, call, bootstrap=FEW) if m.name == "f1")
    assert f1.estimate == pytest.approx(2 * 8 / (2 * 8 + 9 + 2))
    assert f1.interval == "cluster_bootstrap"


def test_what_is_not_defined_is_null_with_a_reason() -> None:
    found = named(binary_metrics([False, False], [False, False], bootstrap=FEW))
    assert (found["sensitivity"].estimate, found["sensitivity"].reason) == (
        None,
        "no item is positive in the reference",
    )
    assert found["ppv"].reason == "nothing was called positive"
    assert found["specificity"].estimate == 1.0
    assert all(m.estimate is None and m.reason for m in binary_metrics([], [], bootstrap=FEW))


def test_alike_vertebrae_of_a_patient_widen_the_interval() -> None:
    """Ten patients with ten vertebrae, all right or all wrong: a hundred items, ten of them independent."""
    truth = np.ones(100, dtype=bool)
    call = np.repeat([True] * 7 + [False] * 3, 10)
    metrics = binary_metrics(truth, call, np.repeat(np.arange(10), 10), Bootstrap(resamples=1000))
    plain, clustered = (named(metrics, i)["sensitivity"] for i in ("wilson", "cluster_bootstrap"))
    assert plain.estimate == clustered.estimate == 0.7
    assert clustered.high - clustered.low > 2 * (plain.high - plain.low)
    assert (clustered.n, clustered.clusters) == (100, 10)


@quick
@given(calls)
def test_swapping_the_classes_swaps_sensitivity_and_specificity(data: tuple[np.ndarray, np.ndarray]) -> None:
    truth, call = data
    ahead, back = (named(binary_metrics(*pair, bootstrap=FEW)) for pair in ((truth, call), (~truth, ~call)))
    for one, other in (("sensitivity", "specificity"), ("ppv", "npv"), ("accuracy", "accuracy")):
        assert ahead[one].estimate == back[other].estimate
        assert ahead[one].low == back[other].low


@quick
@given(calls)
def test_a_further_true_positive_never_harms(data: tuple[np.ndarray, np.ndarray]) -> None:
    truth, call = data
    before = named(binary_metrics(truth, call, bootstrap=FEW))
    after = named(binary_metrics(np.append(truth, True), np.append(call, True), bootstrap=FEW))
    for name in ("sensitivity", "ppv", "accuracy"):
        if before[name].estimate is not None:
            assert after[name].estimate >= before[name].estimate


@quick
@given(calls)
def test_intervals_hold_their_estimate_and_stay_between_0_and_1(data: tuple[np.ndarray, np.ndarray]) -> None:
    for metric in binary_metrics(*data, bootstrap=FEW):
        if metric.low is not None:
            assert 0 <= metric.low <= metric.high <= 1
            if metric.interval == "wilson":
                assert metric.low <= metric.estimate <= metric.high
        assert metric.source == "vfscreen.evaluation.binary.binary_metrics"


@quick
@given(calls, st.randoms())
def test_the_order_of_items_does_not_matter(data: tuple[np.ndarray, np.ndarray], random: object) -> None:
    truth, call = data
    order = np.random.default_rng(7).permutation(truth.size)
    clusters = np.array([f"p{i // 3}" for i in range(truth.size)])
    assert binary_metrics(truth, call, clusters, FEW) == binary_metrics(truth[order], call[order], clusters[order], FEW)


def test_weights_undo_a_sample_enriched_with_findings() -> None:
    """Population of 1000: 100 flagged, 80 of them ill; 900 not flagged, 9 ill. Read: all flagged, every tenth other.
    The sample's sensitivity is 80 of 81, the population's 80 of 89."""
    truth = np.repeat([True, False, True, False], [80, 20, 1, 89])
    call = np.repeat([True, True, False, False], [80, 20, 1, 89])
    weights = np.repeat([1.0, 1.0, 9.0, 891 / 89], [80, 20, 1, 89])
    found = {m.name: m for m in weighted_metrics(truth, call, weights, bootstrap=FEW)}
    assert found["sensitivity"].estimate == pytest.approx(80 / 89)
    assert found["specificity"].estimate == pytest.approx(891 / 911)
    assert found["ppv"].estimate == pytest.approx(0.8)
    assert found["prevalence"].estimate == pytest.approx(0.089)
    assert found["sensitivity"].low < 80 / 89 <= found["sensitivity"].high


@quick
@given(calls)
def test_equal_weights_change_nothing(data: tuple[np.ndarray, np.ndarray]) -> None:
    plain = named(binary_metrics(*data, bootstrap=FEW))
    for metric in weighted_metrics(*data, np.full(data[0].size, 2.5), bootstrap=FEW):
        assert metric.estimate == pytest.approx(plain[metric.name].estimate)
