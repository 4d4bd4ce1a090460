"""Shares with intervals: Wilson's, and Wilson's on the effective sample size where observations come in clusters.

Belongs here: the two intervals. Does not belong here: what is counted (`rates`, `care`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from scipy.stats import norm, t
from statsmodels.stats.proportion import proportion_confint

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Share:
    """hits of total. low, high: 95 % Wilson interval as if each observation stood alone.

    cluster_count: patients. design_effect: variance with the clusters over variance without. clustered_low, _high:
    the interval that regards them; null below two clusters. All null where total is 0.
    """

    hits: int
    total: int
    share: float | None
    low: float | None
    high: float | None
    cluster_count: int
    design_effect: float | None
    clustered_low: float | None
    clustered_high: float | None


def share(observations: Sequence[tuple[Hashable, bool]]) -> Share:
    """The share of True among (cluster, value) pairs.

    Clustered interval: variance of the share as a ratio of cluster totals (Taylor linearisation), from it the effective
    sample size, shrunk by (z / t)^2 for the few clusters, then Wilson's interval (Dean and Pagano, J Surv Stat
    Methodol 2015; the effective size after Korn and Graubard, Surv Methodol 1998). A design effect below 1, which comes
    of chance where clusters are few, is taken as 1; where every value is equal the variance says nothing, and each
    cluster is counted as one observation.
    """
    total = len(observations)
    hits = sum(value for _, value in observations)
    clusters: dict[Hashable, list[int]] = defaultdict(lambda: [0, 0])
    for cluster, value in observations:
        clusters[cluster][0] += value
        clusters[cluster][1] += 1
    count = len(clusters)
    if not total:
        return Share(0, 0, None, None, None, 0, None, None, None)
    proportion = hits / total
    low, high = wilson(hits, total)
    if count < 2:
        return Share(hits, total, proportion, low, high, count, None, None, None)
    if count == total:  # nobody twice: nothing to regard
        return Share(hits, total, proportion, low, high, count, 1.0, low, high)
    if hits in (0, total):
        effect = total / count
    else:
        spread = sum((y - proportion * m) ** 2 for y, m in clusters.values())
        variance = count / (count - 1) * spread / total**2
        effect = max(1.0, variance / (proportion * (1 - proportion) / (total - 1)))
    quantile = 1 - (1 - CONFIDENCE) / 2
    effective = total / effect * float(norm.ppf(quantile) / t.ppf(quantile, count - 1)) ** 2
    clustered_low, clustered_high = wilson(proportion * effective, effective)
    return Share(hits, total, proportion, low, high, count, effect, clustered_low, clustered_high)


def wilson(hits: float, total: float) -> tuple[float, float]:
    """95 % Wilson interval of hits / total; neither need be whole."""
    low, high = proportion_confint(hits, total, alpha=1 - CONFIDENCE, method="wilson")
    return max(0.0, float(low)), min(1.0, float(high))


def half_width(proportion: float, total: int) -> float:
    """Half the length of the Wilson interval that `proportion` of `total` would have."""
    low, high = wilson(proportion * total, total)
    return (high - low) / 2 if math.isfinite(high - low) else 0.5
