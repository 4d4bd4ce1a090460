"""Rates from interval-censored times: a fracture happened between two exams, nobody knows when.

Belongs here: the estimate. Does not belong here: which intervals there are and what happened in them
(queries/incident.sql).

With a constant hazard r, an interval of t years passes without an event with probability exp(-r t), so

    log L(r) = sum over intervals with an event of log(1 - exp(-r t)) - r * (years of the others),

the complementary log-log model with log t as offset (Prentice & Gloeckler, Biometrics 34, 1978). Its interval is that
of the likelihood ratio, which also says something where no event was seen (as the rule of three does).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.optimize import brentq
from scipy.stats import chi2

_HALF_DROP = float(chi2.ppf(0.95, 1)) / 2
_PER = 1000.0


@dataclass(frozen=True)
class Rate:
    """Events per year of the constant hazard and its 95 % interval. None where the data set no limit: no follow-up, or
    an event in every interval (then only `low`)."""

    rate: float | None
    low: float | None
    high: float | None


def censored_rate(event_interval_years: Sequence[float], event_free_years: float) -> Rate:
    """Maximum-likelihood rate. event_interval_years: lengths of the intervals with an event, > 0. event_free_years: sum
    of the others. ValueError for a length that is not positive."""
    events = np.asarray(event_interval_years, dtype=np.float64)
    if (events.size and events.min() <= 0) or event_free_years < 0:
        raise ValueError("an interval without length holds no event")
    if not events.size and event_free_years == 0:
        return Rate(None, None, None)
    if not events.size:
        return Rate(0.0, 0.0, _HALF_DROP / event_free_years)

    def log_likelihood(r: float) -> float:
        return float(np.log(-np.expm1(-r * events)).sum() - r * event_free_years)

    def score(r: float) -> float:
        return float((events / np.expm1(np.minimum(r * events, 700.0))).sum() - event_free_years)

    # between these the score changes its sign: every term is below 1/r, and above 1/r - t
    upper = events.size / event_free_years if event_free_years else None
    if upper is None:
        # the likelihood rises for ever towards 1: only a lower limit
        scale = 1.0 / float(events.max())
        return Rate(None, _crossing(log_likelihood, 0.0, scale * 1e-9, scale * 50), None)
    lower = events.size / (event_free_years + float(events.sum()))
    best = lower if lower == upper else float(brentq(score, lower * (1 - 1e-12), upper * (1 + 1e-12), xtol=1e-15))
    top = log_likelihood(best)
    low = _crossing(log_likelihood, top, best * 1e-9, best)
    high = _crossing(log_likelihood, top, best, best * 1e3 + 10 * _HALF_DROP / event_free_years)
    return Rate(best, low, high)


def _crossing(log_likelihood: Callable[[float], float], top: float, start: float, end: float) -> float | None:
    """Where the log-likelihood lies `_HALF_DROP` below `top`."""

    def gap(r: float) -> float:
        return float(log_likelihood(r) - top + _HALF_DROP)

    if gap(start) * gap(end) > 0:
        return None
    return float(brentq(gap, start, end, xtol=1e-15, rtol=1e-12))


def with_rates(table: pa.Table) -> pa.Table:
    """The table of queries/incident.sql with rates a 1,000 person-years instead of the lengths they come from."""
    lengths = table.column("event_interval_years").to_pylist()
    free = table.column("event_free_years").to_pylist()
    rates = [censored_rate(events, years) for events, years in zip(lengths, free, strict=True)]
    table = table.drop_columns(["event_interval_years", "event_free_years"])
    for name, values in (
        ("rate_per_1000_person_years", [r.rate for r in rates]),
        ("rate_low", [r.low for r in rates]),
        ("rate_high", [r.high for r in rates]),
    ):
        scaled = [None if v is None else v * _PER for v in values]
        table = table.append_column(name, pa.array(scaled, pa.float64()))
    return table
