"""Shares of a population of studies, estimated from a sample of them that was drawn by strata and read again.

Belongs here: the ratio of two estimated totals, its variance and interval. Does not belong here: what is counted
(`corrected`), drawing the sample (`sampling`).

The sample is drawn in two phases: the lake's studies are what happened to be scanned, and of each stratum some are read
again. Totals weight each study read by the studies of its stratum that it stands for (Horvitz and Thompson, J Am Stat
Assoc 47 (1952) 663-685); the variance is that of double sampling for stratification (Rao, Biometrika 60 (1973) 125-133)
of the linearised ratio. Patients with several studies are regarded in both of its parts.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from vfscreen.audit.intervals import CONFIDENCE, wilson

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Unit:
    """A study: its stratum and its patient."""

    stratum: str
    cluster: Hashable


@dataclass(frozen=True)
class WeightedShare:
    """Share of a total in another. hits, total: as read, not weighted. hits_estimated, total_estimated: in the
    population.

    standard_error: with the studies of the lake taken as a sample of others like them. reading_standard_error: the part
    of it that is due to reading a sample of them, which more sheets would remove. low, high: 95 %.
    reason: why share or interval is null.
    """

    hits: int
    total: int
    hits_estimated: float | None = None
    total_estimated: float | None = None
    share: float | None = None
    standard_error: float | None = None
    reading_standard_error: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


def weights_of(population: Sequence[Unit], read: Sequence[Unit]) -> dict[str, float] | None:
    """Stratum -> studies of the population that one read study stands for; None where a stratum was not read at all."""
    there, seen = Counter(u.stratum for u in population), Counter(u.stratum for u in read)
    if any(not seen[stratum] for stratum in there):
        return None
    return {stratum: there[stratum] / seen[stratum] for stratum in there}


def weighted_share(
    population: Sequence[Unit], read: Sequence[Unit], hits: Sequence[int], totals: Sequence[int]
) -> WeightedShare:
    """The share that `hits` have in `totals` over the population.

    population: every study that could have been drawn. read: those that were read; hits, totals: (n,) counted in each,
    0 <= hits <= totals (both 0 in a study that the share is not of).

    Interval: Wilson's on the effective sample size that the variance amounts to, shrunk by (z / t)^2 for the few
    studies behind it (Dean and Pagano, J Surv Stat Methodol 3 (2015) 484-503). Where every study says the same the
    variance says nothing, and each patient behind the share counts as one observation, less what unequal weights take.
    """
    y, x = np.asarray(hits, dtype=np.float64), np.asarray(totals, dtype=np.float64)
    counted = WeightedShare(int(y.sum()), int(x.sum()))
    weights = weights_of(population, read)
    if weights is None:
        return replace(counted, reason="stratum_not_read")
    w = np.array([weights[u.stratum] for u in read])
    total = float(w @ x)
    if not total:
        return replace(counted, hits_estimated=0.0, total_estimated=0.0, reason="nothing_to_share")
    share = float(w @ y) / total
    known = replace(counted, hits_estimated=float(w @ y), total_estimated=total, share=share)
    parts = _variances(population, read, (y - share * x) / total)
    if parts is None:
        return replace(known, reason="one_study_read_of_a_stratum")
    reading, whole = parts
    behind = x > 0
    if 0.0 < share < 1.0 and whole > 0:
        effective = share * (1 - share) / whole
    else:
        kish = float((w * x)[behind].sum() ** 2 / ((w * x)[behind] ** 2).sum())
        effective = min(kish, len({u.cluster for u, b in zip(read, behind, strict=True) if b}))
    freedom = int(behind.sum()) - 1
    if freedom < 1:
        return replace(known, reason="one_study_behind_the_share")
    quantile = 1 - (1 - CONFIDENCE) / 2
    effective *= float(norm.ppf(quantile) / t.ppf(quantile, freedom)) ** 2
    low, high = wilson(share * effective, effective)
    return replace(
        known,
        standard_error=math.sqrt(whole),
        reading_standard_error=math.sqrt(reading),
        low=low,
        high=high,
    )


def _variances(population: Sequence[Unit], read: Sequence[Unit], u: Float) -> tuple[float, float] | None:
    """(variance due to reading a sample, whole variance) of the estimated total of `u`; None where a stratum of several
    studies has one that was read.

    Reading: N (N - n) s^2 / n a stratum. The lake as a sample: squares of the patients' totals, the strata's means in
    place of what was not read, and N s^2 within strata, raised by how alike studies of one patient are.
    """
    size = Counter(unit.stratum for unit in population)
    members: Mapping[str, list[int]] = defaultdict(list)
    for i, unit in enumerate(read):
        members[unit.stratum].append(i)
    means: dict[str, float] = {}
    reading = within = 0.0
    centred = np.zeros_like(u)
    for stratum, chosen in members.items():
        n, there = len(chosen), size[stratum]
        if n == 1 < there:
            return None
        means[stratum] = float(u[chosen].mean())
        spread = float(u[chosen].var(ddof=1)) if n > 1 else 0.0
        reading += there * (there - n) * spread / n
        within += there * spread
        centred[chosen] = u[chosen] - means[stratum]
    between = sum(v**2 for v in _sums([unit.cluster for unit in population], [means[p.stratum] for p in population]))
    alone = float((centred**2).sum())
    together = sum(v**2 for v in _sums([unit.cluster for unit in read], centred))
    effect = max(1.0, together / alone) if alone else 1.0
    return reading, reading + between + within * effect


def _sums(clusters: Sequence[Hashable], values: Sequence[float] | Float) -> list[float]:
    sums: dict[Hashable, float] = defaultdict(float)
    for cluster, value in zip(clusters, values, strict=True):
        sums[cluster] += float(value)
    return list(sums.values())
