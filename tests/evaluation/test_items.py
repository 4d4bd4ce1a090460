"""The three analyses of what could not be evaluated."""

from __future__ import annotations

import numpy as np
import pytest

from vfscreen.evaluation.binary import confusion
from vfscreen.evaluation.items import NEVER, Items, scenario


@pytest.fixture
def items() -> Items:
    """Six patients: two right, two wrong, one positive and one negative without a call."""
    return Items(
        "patient",
        reference=np.array([2, 0, 3, 0, 2, 0]),
        grade=np.array([2, 0, 1, 2, -1, -1]),
        probability={2: np.array([0.9, 0.1, 0.4, 0.6, np.nan, np.nan])},
        clusters=tuple("abcdef"),
        reasons=(None, None, None, None, "missed", "absent"),
    )


@pytest.mark.parametrize(
    ("analysis", "table"),
    [
        ("per_protocol", (1, 1, 1, 1)),
        ("intention_to_screen", (1, 1, 2, 2)),
        ("worst_case", (1, 2, 2, 1)),
    ],
)
def test_what_cannot_be_evaluated_is_counted_as_the_analysis_says(
    items: Items, analysis: str, table: tuple[int, ...]
) -> None:
    s = scenario(items, 2, analysis)
    found = confusion(s.truth, s.call)
    assert (found.tp, found.fp, found.fn, found.tn) == table
    assert s.unevaluable == 2


def test_scores_of_those_without_a_call_are_below_all_others(items: Items) -> None:
    screen = scenario(items, 2, "intention_to_screen")
    assert screen.scored.all()
    assert (screen.score[4:] == NEVER).all()
    assert not scenario(items, 1, "per_protocol").scored.any()  # the lake has no probability of that target here


def test_the_order_of_analyses_by_accuracy(items: Items) -> None:
    """Sensitivity and specificity of the worst case are never above those of the others."""
    rates = {}
    for analysis in ("per_protocol", "intention_to_screen", "worst_case"):
        s = scenario(items, 2, analysis)
        rates[analysis] = (s.call[s.truth].mean(), 1 - s.call[~s.truth].mean())
    for other in ("per_protocol", "intention_to_screen"):
        assert rates["worst_case"][0] <= rates[other][0]
        assert rates["worst_case"][1] <= rates[other][1]
