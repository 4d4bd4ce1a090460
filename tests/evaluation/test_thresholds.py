"""A threshold chosen on one set and applied to another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests.evaluation.published import asah
from tests.evaluation.quick import quick
from vfscreen.evaluation.metric import EvaluationError
from vfscreen.evaluation.thresholds import apply_threshold, choose_threshold

labelled = st.integers(4, 30).flatmap(
    lambda n: st.tuples(
        npst.arrays(np.bool_, n), npst.arrays(np.float64, n, elements=st.integers(0, 10).map(lambda v: v / 10))
    )
)


def test_youden_as_proc_prints_it() -> None:
    """coords(roc, "best") of aSAH's S100B: 0.205 (between two values), specificity 0.8056, sensitivity 0.6341."""
    truth, scores = asah()
    chosen = choose_threshold(truth, scores["s100b"])
    assert 0.20 < chosen.threshold <= 0.22
    assert chosen.sensitivity == pytest.approx(0.6341463414634146)
    assert chosen.specificity == pytest.approx(0.8055555555555556)
    assert np.array_equal(apply_threshold(scores["s100b"], chosen), scores["s100b"] > 0.205)


@quick
@given(labelled)
def test_chosen_rates_are_those_of_applying_it(data: tuple[np.ndarray, np.ndarray]) -> None:
    truth, score = data
    assume(0 < truth.sum() < truth.size)
    for rule, at_least in (("youden", None), ("sensitivity", 0.8), ("specificity", 0.5)):
        try:
            chosen = choose_threshold(truth, score, rule, at_least)
        except EvaluationError:
            assert rule == "specificity"  # calling all reaches any sensitivity, so only this can be out of reach
            continue
        call = apply_threshold(score, chosen)
        assert call[truth].mean() == pytest.approx(chosen.sensitivity)
        assert 1 - call[~truth].mean() == pytest.approx(chosen.specificity)
        if at_least is not None:
            assert getattr(chosen, rule) >= at_least - 1e-9


def test_what_cannot_be_chosen_names_the_remedy() -> None:
    with pytest.raises(EvaluationError, match="both classes"):
        choose_threshold([True, True], [0.1, 0.2])
    with pytest.raises(EvaluationError, match="for example"):
        choose_threshold([True, False], [0.1, 0.2], "sensitivity")
    with pytest.raises(EvaluationError, match="the best is"):
        choose_threshold([True, False], [0.1, 0.9], "specificity", 0.99)
