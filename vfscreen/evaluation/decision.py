"""Decision curves: what acting on a probability is worth, against acting on everyone and on no one.

Vickers and Elkin, Med Decis Making 26 (2006) 565-574. Belongs here: net benefit. Does not belong here: choosing the
threshold a site works at, which is a judgement of harms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vfscreen.evaluation.metric import Float, checked_truth
from vfscreen.evaluation.resampling import Bootstrap, cluster_codes, cluster_sums, drawn_totals, percentile_interval

THRESHOLDS: tuple[float, ...] = tuple(round(float(t), 2) for t in np.arange(0.02, 0.81, 0.02))


@dataclass(frozen=True)
class NetBenefit:
    """At one threshold probability: of the model with its interval over patients, of calling all; of none it is 0.

    In true positives per item: a false positive costs threshold / (1 - threshold) of one.
    """

    threshold: float
    model: float
    low: float | None
    high: float | None
    all: float


def net_benefit(tp: Float, fp: Float, n: Float, threshold: Float) -> Float:
    """True positives minus false positives weighted by the odds of the threshold, per item."""
    return np.asarray(tp / n - fp / n * threshold / (1 - threshold))


def decision_curve(
    truth: Any,
    probability: Any,
    clusters: Sequence[Any] | None = None,
    bootstrap: Bootstrap | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
) -> list[NetBenefit]:
    """Net benefit of calling items whose probability is at least each threshold. Empty where there are no items."""
    bootstrap = bootstrap or Bootstrap()
    flags, (values,) = checked_truth(truth, probability)
    if not flags.size:
        return []
    if any(not 0 < threshold < 1 for threshold in thresholds):
        raise ValueError(f"threshold probabilities lie between 0 and 1: {tuple(thresholds)}")
    at = np.asarray(thresholds, dtype=np.float64)
    codes, patients = cluster_codes(clusters, flags.size)
    called = values[:, None] >= at
    # called rightly and wrongly at each threshold, then all positives and all items: one set of draws serves them all
    per_item = np.hstack([called & flags[:, None], called & ~flags[:, None], flags[:, None], np.ones((flags.size, 1))])
    sums = cluster_sums(per_item, codes, patients)

    def benefits(totals: Float) -> Float:
        n = totals[:, -1:]
        return net_benefit(totals[:, : at.size], totals[:, at.size : 2 * at.size], n, at)

    total = sums.sum(axis=0, keepdims=True)
    drawn = benefits(drawn_totals(sums, bootstrap))
    model = benefits(total)[0]
    everyone = net_benefit(total[:, -2], total[:, -1] - total[:, -2], total[:, -1], at)
    found = []
    for index, threshold in enumerate(thresholds):
        low, high = percentile_interval(drawn[:, index], bootstrap.confidence) or (None, None)
        found.append(NetBenefit(float(threshold), float(model[index]), low, high, float(everyone[index])))
    return found
