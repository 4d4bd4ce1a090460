"""The figures of the page: which numbers, which marks, what is said beside them.

Belongs here: figures from shares, counts and ranges. Does not belong here: how a mark looks (`chart`), where the
numbers come from (`answers`).

A drawing has room for so many categories; what it leaves out is in its table, and its caption says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from markupsafe import Markup

from vfscreen.report.page import text
from vfscreen.report.page.chart import (
    BIN_SHADES,
    Chart,
    Legend,
    counted_bars,
    draw,
    interval_points,
    ranges,
)

_CATEGORIES_MAX = 24
_GROUPS_MAX = 5


@dataclass(frozen=True)
class Share:
    """k of n with its 95 % interval. category: place on the axis. group: what is drawn beside each other.

    share, low, high: 0 .. 1; null where n is 0.
    """

    category: str
    group: str
    k: int
    n: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Count:
    """How many items of a group a category has."""

    category: str
    group: str
    items: int


@dataclass(frozen=True)
class Range:
    """Median and quartiles of n values; null where there are none. missing: items without a value."""

    category: str
    group: str
    n: int
    missing: int
    median: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Words:
    """What is said about a figure. items: what is counted, for example "patients"."""

    key: str
    title: str
    caption: str
    category: str
    group: str
    items: str


_Item = TypeVar("_Item", Share, Count, Range)


def share_figure(words: Words, shares: Sequence[Share]) -> Chart:
    """Shares with their intervals, drawn for the groups and categories there is room for."""
    headings = (words.category, words.group, "share", "95 % CI", "with it", f"of {words.items}")
    rows = tuple(
        (s.category, s.group, text.percent(s.share), text.interval(s.low, s.high), text.count(s.k), text.count(s.n))
        for s in shares
    )
    drawn, left_out = _room([s for s in shares if s.share is not None])
    if not drawn:
        return _nothing(words, headings, rows)
    values = [
        {"category": _labelled(s.category, shares), "group": s.group, "share": s.share, "low": s.low, "high": s.high}
        for s in drawn
    ]
    legend = Legend(words.group, _ordered(s.group for s in drawn))
    marks = interval_points(
        values,
        category="category",
        category_title=f"{words.category} (n: {words.items})",
        value_title="Share with 95 % interval",
        group="group",
        legend=legend,
    )
    top = max(drawn, key=lambda s: s.share or 0.0)
    where = f"{top.category}, {top.group}"
    said = (
        f"{words.title}: {len(drawn)} shares with 95 % intervals; the highest is {text.percent(top.share)} ({where})."
    )
    return Chart(words.key, words.title, words.caption + left_out, said, draw(marks, words.key), headings, rows)


def count_figure(words: Words, counts: Sequence[Count], shades: Sequence[str] = BIN_SHADES) -> Chart:
    """Counts as bars, stacked by group in the order the groups first appear."""
    headings = (words.category, words.group, words.items)
    rows = tuple((c.category, c.group, text.count(c.items)) for c in counts)
    drawn, left_out = _room(counts, groups_max=len(shades))
    if not any(c.items for c in drawn):
        return _nothing(words, headings, rows)
    values = [{"category": c.category, "group": c.group, "items": c.items} for c in drawn]
    legend = Legend(words.group, _ordered(c.group for c in drawn))
    marks = counted_bars(
        values,
        category="category",
        category_title=words.category,
        value_title=words.items.capitalize(),
        group="group",
        legend=legend,
        shades=shades,
    )
    top = max(drawn, key=lambda c: c.items)
    where = f"{top.category}, {top.group}, with {top.items:,}"
    said = f"{words.title}: {sum(c.items for c in counts):,} {words.items}; the largest part is {where}."
    return Chart(words.key, words.title, words.caption + left_out, said, draw(marks, words.key), headings, rows)


def range_figure(words: Words, found: Sequence[Range], unit: str) -> Chart:
    """Medians with their quartiles."""
    headings = (words.category, words.group, f"median ({unit})", f"quartiles ({unit})", words.items, "without a value")
    rows = tuple(
        (
            r.category,
            r.group,
            text.decimal(r.median),
            "unknown" if r.low is None or r.high is None else f"{r.low:.1f} to {r.high:.1f}",
            text.count(r.n),
            text.count(r.missing),
        )
        for r in found
    )
    drawn, left_out = _room([r for r in found if r.median is not None])
    if not drawn:
        return _nothing(words, headings, rows)
    values = [
        {"category": r.category, "group": r.group, "median": r.median, "low": r.low, "high": r.high} for r in drawn
    ]
    legend = Legend(words.group, _ordered(r.group for r in drawn))
    marks = ranges(
        values,
        category="category",
        category_title=words.category,
        value_title=f"Median and quartiles ({unit})",
        group="group",
        legend=legend,
    )
    medians = [r.median for r in drawn if r.median is not None]
    said = f"{words.title}: medians between {min(medians):.0f} and {max(medians):.0f} {unit} over {len(drawn)} groups."
    return Chart(words.key, words.title, words.caption + left_out, said, draw(marks, words.key), headings, rows)


def _nothing(words: Words, headings: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> Chart:
    empty = f"Nothing to draw: there are no {words.items} to count here."
    return Chart(words.key, words.title, words.caption, empty, Markup(""), headings, rows, empty)


def _labelled(category: str, shares: Sequence[Share]) -> str:
    """The category, and under it the denominators: one where all groups have the same, else one for each group."""
    ns = list({s.group: s.n for s in shares if s.category == category}.values())
    under = [ns[0]] if len(set(ns)) == 1 else ns
    return f"{category}\nn {' / '.join(f'{n:,}' for n in under)}"


def _room(items: Sequence[_Item], groups_max: int = _GROUPS_MAX) -> tuple[list[_Item], str]:
    """Items of the categories and groups there is room for, the largest ones in the order given, and what to say."""
    kept = list(items)
    notes = []
    for name, most, what in (("category", _CATEGORIES_MAX, "categories"), ("group", groups_max, "groups")):
        sizes: dict[str, int] = {}
        for item in kept:
            sizes[getattr(item, name)] = sizes.get(getattr(item, name), 0) + _size(item)
        if len(sizes) > most:
            largest = set(sorted(sizes, key=lambda n: -sizes[n])[:most])
            kept = [item for item in kept if getattr(item, name) in largest]
            notes.append(f" The {most} largest of {len(sizes)} {what} are drawn; all are in the table.")
    return kept, "".join(notes)


def _size(item: Share | Count | Range) -> int:
    return item.items if isinstance(item, Count) else item.n


def _ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Names in the order they first appear, the unknown last."""
    seen = list(dict.fromkeys(names))
    return tuple(sorted(seen, key=lambda name: "unknown" in name))
