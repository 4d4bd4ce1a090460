"""Which acceptable series of a study go into the screening chain.

Belongs here: the comparison of series by their MANIFEST rows. Does not belong here: whether a series is acceptable
at all (`series`).

Radiographs do not compete: each acceptable series of them is taken. Of CT, a series that shows much less of the body
than another comes after it; then thin slices count, then a soft or standard kernel, an axial stack, finer spacing,
longer coverage. The order of the rows never matters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from vfscreen.errors import ReasonCode, Stage
from vfscreen.settings import SelectSettings

Row = Mapping[str, Any]

_COVERAGE_SHARE = 0.7
"""A series that covers less than this share of the longest one of the study is not its equal."""

_THICKNESS_STEPS_MM = (1.5, 3.0)
"""Thin up to the first, medium up to the second, thick beyond; within a step the kernel decides."""

_SHARP_NAMES = (
    "BONE",
    "LUNG",
    "EDGE",
    "DETAIL",
    "CHST",
    "SHARP",
    "YA",
    "YB",
    "YC",
    "YD",
    "FC5",
    "FC8",
    "INNER",
    "ULTRA",
)


def is_sharp(kernel: str | None) -> bool | None:
    """Whether a reconstruction kernel is a sharp one (bone, lung); None where it is not told.

    Siemens: B60f, Br64d, I70f ...: the number; GE: BONE, LUNG, EDGE; Philips: letters from D, YA ...; Canon: FC30
    and FC50 up.
    """
    if not kernel:
        return None
    name = kernel.upper().split("\\")[0].strip()
    if match := re.match(r"^(?:[BHIUTJQ][A-Z]?)(\d{2})", name):
        return int(match[1]) >= 50
    if match := re.match(r"^FC(\d{2})", name):
        return 30 <= int(match[1]) < 40 or int(match[1]) >= 50
    if re.fullmatch(r"[A-FL]", name):
        return name in "DEFL"
    return any(name.startswith(s) for s in _SHARP_NAMES)


def select_in_study(rows: Sequence[Row], settings: SelectSettings) -> list[dict[str, Any]]:
    """MANIFEST rows of one study with `selected` settled; those not selected name the winner.

    The best series is taken, and then every further one that shows at least `extra_coverage_min_mm` more of the body;
    so is every series of radiographs.
    """
    candidates = [r for r in rows if r["selected"] and r.get("film_count") is None]
    longest = max((r["coverage_mm"] for r in candidates), default=0.0)
    ranked = sorted(candidates, key=lambda r: _preference(r, longest, settings))
    taken: list[Row] = []
    losers: dict[str, Row] = {}
    for row in ranked:
        if not taken or _uncovered_mm(row, taken) >= settings.extra_coverage_min_mm:
            taken.append(row)
        else:
            losers[row["SeriesInstanceUID"]] = min(taken, key=lambda w: _uncovered_mm(row, [w]))
    result = []
    for row in rows:
        winner = losers.get(row["SeriesInstanceUID"]) if row["selected"] else None
        settled = dict(row)
        if winner is not None:
            settled |= {
                "selected": False,
                "stage": Stage.SELECT.value,
                "reason_code": ReasonCode.NOT_BEST_SERIES.value,
                "message": f"series {winner['SeriesInstanceUID']} ({_words(winner)}) is preferred to this one "
                f"({_words(row)})",
            }
        result.append(settled)
    return result


def _preference(row: Row, longest_mm: float, settings: SelectSettings) -> tuple[Any, ...]:
    """Smaller is better."""
    spacing = max(row["slice_spacing_mm"], settings.preferred_spacing_mm)
    return (
        row["coverage_mm"] < _COVERAGE_SHARE * longest_mm,
        sum(spacing > step for step in _THICKNESS_STEPS_MM),
        bool(is_sharp(row["ConvolutionKernel"])),
        row["orientation"] != "axial",
        round(spacing, 2),
        -round(row["coverage_mm"], 1),
        row["tilt_deg"] > 1.0,
        row["SeriesNumber"] if row["SeriesNumber"] is not None else 2**31,
        row["SeriesInstanceUID"],
    )


def _uncovered_mm(row: Row, taken: Sequence[Row]) -> float:
    """Length along z of `row` that none of `taken` shows.

    Heights of different frames of reference are compared too, unless the series say they show different body parts.
    """
    low, high = row["inferior_mm"], row["superior_mm"]
    spans = sorted((t["inferior_mm"], t["superior_mm"]) for t in taken if _comparable(row, t))
    covered, reached = 0.0, low
    for start, end in spans:
        start, end = max(start, reached), min(end, high)
        if end > start:
            covered += end - start
            reached = end
    return float(high - low - covered)


def _comparable(a: Row, b: Row) -> bool:
    if a["FrameOfReferenceUID"] == b["FrameOfReferenceUID"]:
        return True
    parts = (a["BodyPartExamined"], b["BodyPartExamined"])
    return None in parts or parts[0] == parts[1]


def _words(row: Row) -> str:
    kernel = row["ConvolutionKernel"] or "kernel unknown"
    return f"every {row['slice_spacing_mm']:.2f} mm, {kernel}, {row['orientation']}, {row['coverage_mm']:.0f} mm long"
