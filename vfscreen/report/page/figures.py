"""The figures of the page: which numbers, which marks, what is said beside them.

Belongs here: figures from shares, counts and ranges. Does not belong here: how a mark looks (`chart`), where the
numbers come from (`answers`).

A drawing has room for so many categories; what it leaves out is in its table, and its caption says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from markupsafe import Markup

from vfscreen.report.page import text
from vfscreen.report.page.chart import (
    WIDE_FROM,
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
class Mean:
    """Mean and standard deviation of n values; null where there are none (or one). missing: items without a value."""

    category: str
    group: str
    n: int
    missing: int
    mean: float | None
    sd: float | None


@dataclass(frozen=True)
class Words:
    """What is said about a figure. items: what is counted, for example "patients". order: groups that always have
    the same mark, in this order; others follow as they come. parted: the groups part a category's items among them;
    else each group is counted of all of them."""

    key: str
    title: str
    caption: str
    category: str
    group: str
    items: str
    order: tuple[str, ...] = ()
    parted: bool = False


_Item = TypeVar("_Item", Share, Count, Mean)


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
        {
            "category": _labelled(words, s.category, shares),
            "group": s.group,
            "share": s.share,
            "low": s.low,
            "high": s.high,
        }
        for s in drawn
    ]
    wide = _wide(drawn)
    legend = Legend(text.headed(words.group), _ordered(words, (s.group for s in drawn)))
    marks = interval_points(
        values,
        category="category",
        category_title=f"{text.headed(words.category)}, and how many {words.items}",
        value_title="Share with 95 % interval",
        group="group",
        legend=legend,
    )
    top = max(drawn, key=lambda s: s.share or 0.0)
    where = f"{top.category}, {top.group}"
    said = (
        f"{words.title}: {len(drawn)} shares with 95 % intervals; the highest is {text.percent(top.share)} ({where})."
    )
    return Chart(
        words.key, words.title, words.caption + left_out, said, draw(marks, words.key, wide), headings, rows, wide=wide
    )


def count_figure(words: Words, counts: Sequence[Count], shades: Mapping[str, str]) -> Chart:
    """Counts as bars, stacked by group. shades: every group there may be and its colour, in the order of stacking."""
    headings = (words.category, words.group, words.items)
    rows = tuple((c.category, c.group, text.count(c.items)) for c in counts)
    drawn, left_out = _room([c for c in counts if c.items], groups_max=len(shades))
    if not drawn:
        return _nothing(words, headings, rows)
    values = [{"category": c.category, "group": c.group, "items": c.items} for c in drawn]
    wide = _wide(drawn)
    present = [name for name in shades if any(c.group == name for c in drawn)]
    legend = Legend(text.headed(words.group), tuple(present))
    marks = counted_bars(
        values,
        category="category",
        category_title=text.headed(words.category),
        value_title=words.items.capitalize(),
        group="group",
        legend=legend,
        shades=[shades[name] for name in present],
    )
    top = max(drawn, key=lambda c: c.items)
    where = f"{top.category}, {top.group}, with {top.items:,}"
    said = f"{words.title}: {sum(c.items for c in counts):,} {words.items}; the largest part is {where}."
    return Chart(
        words.key, words.title, words.caption + left_out, said, draw(marks, words.key, wide), headings, rows, wide=wide
    )


def mean_figure(words: Words, found: Sequence[Mean], unit: str) -> Chart:
    """Means with one standard deviation either way."""
    headings = (words.category, words.group, f"mean ({unit})", f"SD ({unit})", words.items, "without a value")
    rows = tuple(
        (m.category, m.group, text.decimal(m.mean), text.decimal(m.sd), text.count(m.n), text.count(m.missing))
        for m in found
    )
    drawn, left_out = _room([m for m in found if m.mean is not None])
    if not drawn:
        return _nothing(words, headings, rows)
    values = [
        {
            "category": m.category,
            "group": m.group,
            "mean": m.mean,
            "low": m.mean - (m.sd or 0),
            "high": m.mean + (m.sd or 0),
        }
        for m in drawn
        if m.mean is not None
    ]
    wide = _wide(drawn)
    marks = ranges(
        values,
        category="category",
        category_title=text.headed(words.category),
        value_title=f"Mean and SD ({unit})",
        group="group",
        legend=Legend(text.headed(words.group), _ordered(words, (m.group for m in drawn))),
    )
    means = [m.mean for m in drawn if m.mean is not None]
    said = f"{words.title}: means between {min(means):.0f} and {max(means):.0f} {unit} over {len(drawn)} groups."
    return Chart(
        words.key, words.title, words.caption + left_out, said, draw(marks, words.key, wide), headings, rows, wide=wide
    )


def _nothing(words: Words, headings: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> Chart:
    empty = f"Nothing to draw: there are no {words.items} with a value."
    return Chart(words.key, words.title, words.caption, empty, Markup(""), headings, rows, empty)


def _labelled(words: Words, category: str, shares: Sequence[Share]) -> str:
    """The category, and under it its denominator: the sum of the groups' where they part it, else the largest."""
    ns = [s.n for s in shares if s.category == category]
    return f"{category}\n{(sum(ns) if words.parted else max(ns)):,}"


def _wide(drawn: Sequence[Share] | Sequence[Count] | Sequence[Mean]) -> bool:
    return len({item.category for item in drawn}) >= WIDE_FROM


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


def _size(item: Share | Count | Mean) -> int:
    return item.items if isinstance(item, Count) else item.n


def _ordered(words: Words, names: Iterable[str]) -> tuple[str, ...]:
    """Names of the legend: those with a place of their own, drawn or not; the rest as they appear; unknown last."""
    seen = dict.fromkeys((*words.order, *names))
    return tuple(sorted(seen, key=lambda name: "unknown" in name))
