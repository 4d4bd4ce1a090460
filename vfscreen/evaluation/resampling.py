"""Patients drawn with replacement: intervals for items that come several to a patient.

Vertebrae of a patient are alike, so it is patients that are drawn (Rutter, Acad Radiol 7 (2000) 413-419; Field and
Welsh, J R Stat Soc B 69 (2007) 369-390). Statistics here are functions of sums over patients, so that a thousand
draws are one matrix product. Belongs here: drawing, percentile intervals. Does not belong here: any statistic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vfscreen.evaluation.metric import CONFIDENCE, Float, Int

RESAMPLES = 2000
SEED = 20231
MIN_USABLE_SHARE = 0.5
"""Draws in which the statistic is not defined are left out; with fewer than this share left there is no interval."""


@dataclass(frozen=True)
class Bootstrap:
    """How many draws, from which seed, for which level. The same settings give the same interval."""

    resamples: int = RESAMPLES
    seed: int = SEED
    confidence: float = CONFIDENCE


def cluster_codes(clusters: Sequence[Any] | None, n: int) -> tuple[Int, int]:
    """(n,) code 0..k-1 of each item's patient, and k. None: every item is a patient of its own."""
    if clusters is None:
        return np.arange(n), n
    if len(clusters) != n:
        raise ValueError(f"{len(clusters)} clusters do not go with {n} items")
    names, codes = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    return codes.astype(np.int64).reshape(-1), len(names)


def cluster_sums(per_item: Float, codes: Int, k: int) -> Float:
    """(n, ...) values of items -> (k, ...) sums over each patient's items."""
    values = np.asarray(per_item, dtype=np.float64)
    sums = np.zeros((k, *values.shape[1:]))
    np.add.at(sums, codes, values)
    return sums


def draws(k: int, bootstrap: Bootstrap, width: int = 0) -> Iterator[Float]:
    """Blocks (b, k) of how often each of k patients was drawn, `resamples` rows in all.

    width: numbers a caller makes of each row, if more than k; a block of them is 40 MB at most.
    """
    generator = np.random.default_rng(bootstrap.seed)
    block, left = max(1, 5_000_000 // max(k, width)), bootstrap.resamples
    while left > 0:
        size = min(block, left)
        yield generator.multinomial(k, np.full(k, 1.0 / k), size=size).astype(np.float64)
        left -= size


def drawn_totals(sums: Float, bootstrap: Bootstrap) -> Float:
    """(k, ...) sums of each patient -> (resamples, ...) totals; (0, ...) of fewer than two patients."""
    if len(sums) < 2:
        return np.empty((0, *sums.shape[1:]))
    return np.concatenate([np.tensordot(block, sums, axes=1) for block in draws(len(sums), bootstrap)])


def percentile_interval(values: Float, confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """Percentiles of the draws in which the statistic is defined; None where too few are."""
    usable = np.asarray(values, dtype=np.float64)
    usable = usable[np.isfinite(usable)]
    if usable.size < MIN_USABLE_SHARE * np.size(values) or usable.size == 0:
        return None
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(usable, (tail, 1.0 - tail))
    return float(low), float(high)


def bootstrap_sums(
    sums: Float, statistic: Callable[[Float], Float], bootstrap: Bootstrap
) -> tuple[float, float] | None:
    """Interval of a statistic of totals.

    sums: (k, ...) of each patient. statistic: (resamples, ...) totals -> (resamples,) values, NaN where not defined.
    None where there are fewer than two patients or the statistic is hardly ever defined.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return percentile_interval(statistic(drawn_totals(sums, bootstrap)), bootstrap.confidence)
