"""A threshold chosen on one set of patients, applied as it is to another.

Belongs here: rules of choice. Does not belong here: who is in which set (study); what comes of the calls (binary).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from vfscreen.evaluation.metric import EvaluationError
from vfscreen.evaluation.roc import roc_points

Rule = Literal["youden", "sensitivity", "specificity"]


@dataclass(frozen=True)
class ChosenThreshold:
    """Items are called from `threshold` up. sensitivity, specificity: on the set it was chosen on, so optimistic."""

    threshold: float
    rule: str
    sensitivity: float
    specificity: float
    n: int


def choose_threshold(truth: Any, score: Any, rule: Rule = "youden", at_least: float | None = None) -> ChosenThreshold:
    """A threshold among the observed scores.

    youden: greatest sensitivity + specificity - 1 (Youden, Cancer 3 (1950) 32-35), of several the most sensitive.
    sensitivity, specificity: the best of the other where this one is `at_least` that.
    Raises EvaluationError where the set has one class only, or `at_least` is missing or cannot be reached.
    """
    try:
        curve = roc_points(truth, score)
    except ValueError as error:
        raise EvaluationError(f"no threshold can be chosen: {error}; choose it on a set with both classes") from error
    # the first point, "nothing is called", is no threshold that can be applied
    sensitivity, specificity, thresholds = curve.y[1:], 1 - curve.x[1:], curve.thresholds[1:]
    if rule == "youden":
        worth = np.round(sensitivity + specificity, 12)
        best = int(np.flatnonzero(worth == worth.max())[-1])
    else:
        if at_least is None:
            raise EvaluationError(f"say which {rule} is wanted, for example {rule} of at least 0.9")
        asked, other = (sensitivity, specificity) if rule == "sensitivity" else (specificity, sensitivity)
        good = np.flatnonzero(asked >= at_least - 1e-12)
        if not good.size:
            raise EvaluationError(f"no threshold reaches a {rule} of {at_least}: the best is {asked.max():.3f}")
        best = int(good[np.argmax(other[good])])
    described = rule if at_least is None else f"{rule} >= {at_least:g}"
    return ChosenThreshold(
        float(thresholds[best]), described, float(sensitivity[best]), float(specificity[best]), int(np.size(truth))
    )


def apply_threshold(score: Any, chosen: ChosenThreshold) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(n,) calls of another set's scores."""
    return np.asarray(np.asarray(score, dtype=np.float64) >= chosen.threshold)
