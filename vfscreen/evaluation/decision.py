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
from vfscreen.evaluation.resampling import Bootstrap, bootstrap_sums, cluster_codes, cluster_sums

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


def net_benefit(tp: Float, fp: Float, n: Float, threshold: float) -> Float:
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
    codes, patients = cluster_codes(clusters, flags.size)
    ones = np.ones(flags.size)
    found = []
    for threshold in thresholds:
        if not 0 < threshold < 1:
            raise ValueError(f"a threshold probability lies between 0 and 1, not at {threshold}")
        called = values >= threshold
        sums = cluster_sums(np.stack([called & flags, called & ~flags, flags, ones], axis=1), codes, patients)

        def benefit(totals: Float, at: float = threshold) -> Float:
            return net_benefit(totals[:, 0], totals[:, 1], totals[:, 3], at)

        total = sums.sum(axis=0, keepdims=True)
        low, high = bootstrap_sums(sums, benefit, bootstrap) or (None, None)
        everyone = net_benefit(total[:, 2], total[:, 3] - total[:, 2], total[:, 3], threshold)
        found.append(NetBenefit(float(threshold), float(benefit(total)[0]), low, high, float(everyone[0])))
    return found
