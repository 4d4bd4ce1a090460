"""Missed rates: of the fractures the program found, how many no report mentions, by who read, where and when.

Belongs here: what is counted over what, and the groups. Does not belong here: intervals (`intervals`), the lists.
A missed rate is about what the program found, not about what is there; docs/audit.md says what follows from that.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Literal

import pyarrow as pa

from vfscreen.audit.compare import Compared, Found, Match
from vfscreen.audit.intervals import share
from vfscreen.audit.mentions import Status

UNKNOWN = "unknown"
"""The group of those for whom what is grouped by is missing: they are counted, never left out."""

Unit = Literal["patient", "study", "vertebra"]
Observation = tuple[Hashable, bool]

SCHEMA = pa.schema(
    [
        ("unit", pa.string()),
        ("grouping", pa.string()),
        ("group", pa.string()),
        ("found_count", pa.int64()),
        ("not_reported_count", pa.int64()),
        ("missed_rate", pa.float64()),
        ("wilson_low", pa.float64()),
        ("wilson_high", pa.float64()),
        ("patient_count", pa.int64()),
        ("design_effect", pa.float64()),
        ("clustered_low", pa.float64()),
        ("clustered_high", pa.float64()),
        # how much of the rate hangs on a judgement
        ("hedged_count", pa.int64()),
        ("neighbour_count", pa.int64()),
        ("no_level_given_count", pa.int64()),
    ]
)
"""hedged, neighbour, no_level_given: findings counted as reported that are so only by a hedge, by a level one off, or
by a fracture without a level. Counted strictly they would be missed."""

GROUPINGS: dict[str, Callable[[Compared], str | None]] = {
    "all": lambda c: "all",
    "reader_group": lambda c: c.report.first("reader_group"),
    "site": lambda c: c.report.first("site") or c.study.site,
    "year": lambda c: str(c.study.date.year) if c.study.date else None,
    "modality": lambda c: " ".join(c.study.modalities) or None,
}


def missed_rates(compared: Sequence[Compared]) -> list[dict[str, Any]]:
    """Rows of SCHEMA: vertebrae and studies by every grouping, vertebrae by grade, patients as a whole."""
    found = [c for c in compared if c.is_found]
    rows = [_row("patient", "all", "all", _patients(found), [])]
    for grouping, group_of in GROUPINGS.items():
        groups: dict[str, list[Compared]] = {}
        for item in found:
            groups.setdefault(group_of(item) or UNKNOWN, []).append(item)
        for group in sorted(groups):
            items = groups[group]
            rows.append(_row("study", grouping, group, [(c.study.patient_key, not c.is_reported) for c in items], []))
            rows.append(_row("vertebra", grouping, group, *_vertebrae(items)))
    grades = sorted({f.vertebra.grade for c in found for f in c.found})
    rows += [_row("vertebra", "grade", str(grade), *_vertebrae(found, grade)) for grade in grades]
    return rows


def _patients(found: Sequence[Compared]) -> list[Observation]:
    """A patient is missed where no study on which a fracture was found has a report that speaks of one."""
    reported: dict[str, bool] = {}
    for item in found:
        key = item.study.patient_key
        reported[key] = reported.get(key, False) or item.is_reported
    return [(key, not value) for key, value in reported.items()]


def _vertebrae(items: Sequence[Compared], grade: int | None = None) -> tuple[list[Observation], list[Found]]:
    pairs = [(c, f) for c in items for f in c.found if grade in (None, f.vertebra.grade)]
    return [(c.study.patient_key, f.match is None) for c, f in pairs], [f for _, f in pairs]


def _row(
    unit: Unit, grouping: str, group: str, observations: Sequence[Observation], found: Sequence[Found]
) -> dict[str, Any]:
    counted = share(observations)
    row: dict[str, Any] = {
        "unit": unit,
        "grouping": grouping,
        "group": group,
        "found_count": counted.total,
        "not_reported_count": counted.hits,
        "missed_rate": counted.share,
        "wilson_low": counted.low,
        "wilson_high": counted.high,
        "patient_count": counted.cluster_count,
        "design_effect": counted.design_effect,
        "clustered_low": counted.clustered_low,
        "clustered_high": counted.clustered_high,
    }
    if unit == "vertebra":
        row["hedged_count"] = sum(f.match is not None and _is_hedged(f) for f in found)
        row["neighbour_count"] = sum(f.match is Match.NEIGHBOUR for f in found)
        row["no_level_given_count"] = sum(f.match is Match.NO_LEVEL_GIVEN for f in found)
    return row


def _is_hedged(found: Found) -> bool:
    return found.mention is not None and found.mention.status is Status.HEDGED
