"""The kinds of chart on the page, as inline SVG with their table: Altair declares, vl-convert draws (docs/adr/0005).

Belongs here: the look of a chart (theme, colours, marks) and the kinds there are. Does not belong here: what a figure
of the page shows (`figures`), how its numbers are computed (`vfscreen.cohort`).

Rows are mappings of plain values. Colours are Okabe and Ito's, told apart with any colour vision; a shape always says
the same as a colour. No chart stands without the table of its numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup

Rows = Sequence[Mapping[str, Any]]
Marks = alt.Chart | alt.LayerChart | alt.FacetChart

BLUE, VERMILLION, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#AA4499", "#595959"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, "#000000", "#8A6D00")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
SEQUENCE = ("#D9E6F2", "#F5C26B", "#D55E00", "#5B1A00")
"""Ordered parts of a bar, each darker than the one before, so that grey print keeps their order."""
PALE_GREY = "#9AA3AB"

WIDE_FROM = 8
"""From this many categories on a chart takes the whole width of the page."""

_WIDTH, _WIDTH_WIDE, _HEIGHT = 430, 1000, 250
_FONT = "Arial, Helvetica, 'Liberation Sans', sans-serif"
_INK = "#1F2328"
_CHARACTER_PX = 7.3


@dataclass(frozen=True)
class Chart:
    """A figure of the page.

    key: its id in the page. caption: what is counted, of what, and what the marks are. alt: the figure in a sentence
    for who cannot see it. wide: it takes the whole width. svg: the drawing, or empty where there is nothing to draw
    (`empty` then says why).
    headings, rows: the same numbers as words.
    """

    key: str
    title: str
    caption: str
    alt: str
    svg: Markup
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    empty: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Legend:
    """Groups drawn beside each other, in this order; `unknown` is always grey."""

    title: str
    names: tuple[str, ...]

    @property
    def colours(self) -> list[str]:
        return [GREY if "unknown" in n else PALETTE[i % len(PALETTE)] for i, n in enumerate(self.names)]

    @property
    def shapes(self) -> list[str]:
        return ["cross" if "unknown" in n else SHAPES[i % len(SHAPES)] for i, n in enumerate(self.names)]


def interval_points(
    rows: Rows, *, category: str, category_title: str, value_title: str, group: str, legend: Legend
) -> Marks:
    """Shares with their 95 % intervals as points and bars.

    rows: `category` and `group` (words), `share`, `low`, `high` in 0 .. 1, in the order of the axis.
    """
    y = alt.Y("share:Q", title=value_title, scale=alt.Scale(domain=_share_domain(rows)), axis=alt.Axis(format="%"))
    return _points_with_bars(rows, y, category, category_title, group, legend)


def counted_bars(
    rows: Rows,
    *,
    category: str,
    category_title: str,
    value_title: str,
    group: str,
    legend: Legend,
    shades: Sequence[str],
) -> Marks:
    """Counts as stacked bars.

    rows: `category`, `group` (words) and `items` (a count), in the order of the axis.
    """
    order = {name: i for i, name in enumerate(legend.names)}
    values = [{**r, "order": order[r[group]]} for r in rows]
    base = alt.Chart(_inline(values, category)).encode(
        x=_axis(rows, category, category_title, alt.Scale(padding=0.1 if _room(rows, category) < 100 else 0.3)),
        y=alt.Y(
            "items:Q", title=value_title, stack="zero", axis=alt.Axis(format=",d", tickCount=_ticks(rows, category))
        ),
        order=alt.Order("order:Q"),
    )
    colour = alt.Color(f"{group}:N", title=legend.title, scale=alt.Scale(domain=list(legend.names), range=list(shades)))
    bars: alt.Chart = base.mark_bar(stroke=_INK, strokeWidth=0.6).encode(color=colour)
    return bars


def ranges(rows: Rows, *, category: str, category_title: str, value_title: str, group: str, legend: Legend) -> Marks:
    """Means with a range about them, as points and bars.

    rows: `category`, `group` (words), `mean`, `low`, `high` in the value's unit.
    """
    y = alt.Y("mean:Q", title=value_title, scale=alt.Scale(zero=False))
    return _points_with_bars(rows, y, category, category_title, group, legend)


def _points_with_bars(rows: Rows, y: alt.Y, category: str, category_title: str, group: str, legend: Legend) -> Marks:
    """A point at `y` and a bar from `low` to `high` for each row, groups beside each other."""
    domain = list(legend.names)
    base = alt.Chart(_inline(rows, category)).encode(
        x=_axis(rows, category, category_title),
        xOffset=alt.XOffset(f"{group}:N", sort=domain),
        color=alt.Color(f"{group}:N", title=legend.title, scale=alt.Scale(domain=domain, range=legend.colours)),
    )
    shape = alt.Shape(f"{group}:N", title=legend.title, scale=alt.Scale(domain=domain, range=legend.shapes))
    bars = base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q"), y2="high:Q")
    return alt.layer(base.mark_point(filled=True, size=75, opacity=1).encode(y=y, shape=shape), bars)


def _inline(rows: Rows, category: str) -> alt.InlineData:
    """The rows, with categories broken into lines that fit below the axis."""
    characters = max(6, int(_room(rows, category) / _CHARACTER_PX))
    broken = {
        name: "\n".join(part for line in name.split("\n") for part in wrap(line, characters, break_long_words=False))
        for name in {row[category] for row in rows}
    }
    return alt.InlineData(values=[{**row, category: broken[row[category]]} for row in rows])


def _room(rows: Rows, category: str) -> float:
    """Pixels of a category on the axis."""
    count = len({row[category] for row in rows})
    return (_WIDTH_WIDE if count >= WIDE_FROM else _WIDTH) / count - 4


def _ticks(rows: Rows, category: str) -> int:
    """At most six, and no more than whole numbers to be marked."""
    totals: dict[str, int] = {}
    for row in rows:
        totals[row[category]] = totals.get(row[category], 0) + row["items"]
    return min(6, max(totals.values()))


def _axis(rows: Rows, category: str, title: str, scale: alt.Scale | None = None) -> alt.X:
    """Categories in the order of the rows."""
    axis = alt.Axis(
        labelAngle=0,
        labelLimit=_room(rows, category),
        labelOverlap=False,
        labelExpr="split(datum.label, '\\n')",
    )
    return alt.X(f"{category}:N", sort=None, title=title, axis=axis, scale=scale or alt.Undefined)


def draw(chart: Marks, key: str, wide: bool) -> Markup:
    """The chart as an SVG element that may stand in a page beside others.

    Its parts are hidden from assistive technology: the page names the figure and gives its table instead.
    """
    chart = chart.properties(width=_WIDTH_WIDE if wide else _WIDTH, height=_HEIGHT, padding=4).configure(**_theme())
    svg = vl_convert.vegalite_to_svg(chart.to_dict())
    return Markup(_own_ids(svg, key).replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1))


def _share_domain(rows: Rows) -> list[float]:
    """From 0 to the next tenth above the highest limit: intervals of few patients may reach 1."""
    top = max((r["high"] for r in rows if r["high"] is not None), default=1.0)
    return [0.0, min(1.0, (int(top * 10) + 1) / 10)]


def _own_ids(svg: str, key: str) -> str:
    """Ids of one drawing must not meet those of another on the same page."""
    for name in set(re.findall(r'\bid="([^"]+)"', svg)):
        svg = svg.replace(f'id="{name}"', f'id="{key}-{name}"').replace(f"url(#{name})", f"url(#{key}-{name})")
        svg = svg.replace(f'href="#{name}"', f'href="#{key}-{name}"')
    return svg


def _theme() -> dict[str, Any]:
    text = {"labelColor": _INK, "titleColor": _INK, "labelFontSize": 13, "titleFontSize": 13, "titleFontWeight": "bold"}
    return {
        "aria": False,
        "font": _FONT,
        "background": "transparent",
        "view": {"stroke": "transparent"},
        "axis": {**text, "gridColor": "#E3E6E8", "domainColor": GREY, "tickColor": GREY, "labelPadding": 4},
        "axisX": {"grid": False},
        "legend": {**text, "columns": 4, "orient": "top", "symbolSize": 90, "labelLimit": 260, "columnPadding": 18},
    }
