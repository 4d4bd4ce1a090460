"""Drawings: what is drawn, what is left to the table, and that drawings do not meet on one page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from vfscreen.report.page.chart import GREY, Legend
from vfscreen.report.page.figures import Count, Mean, Share, Words, count_figure, mean_figure, share_figure

WORDS = Words("key", "A title", "A caption.", "band", "sex", "patients", parted=True)
SVG = "{http://www.w3.org/2000/svg}"


def share(category: str, group: str, k: int, n: int) -> Share:
    p = k / n if n else None
    return Share(category, group, k, n, p, None if p is None else p / 2, None if p is None else (1 + p) / 2)


def words_of(svg: str) -> list[str]:
    return ["".join(e.itertext()) for e in ET.fromstring(svg).iter(f"{SVG}text")]


def test_a_share_is_drawn_with_its_denominators_below_the_axis() -> None:
    chart = share_figure(
        WORDS, [share("60-69", "women", 1, 26), share("60-69", "men", 2, 26), share("70-79", "men", 0, 0)]
    )
    drawn = words_of(chart.svg)
    assert {"women", "men", "60-69", "52"} & set(drawn) >= {"women", "men"}
    assert any("52" in word for word in drawn) and not any("70-79" in word for word in drawn)
    assert len(chart.rows) == 3 and chart.rows[2][2:4] == ("unknown", "no interval")
    assert "7.7 % (60-69, men)" in chart.alt


def test_groups_of_all_items_keep_one_denominator() -> None:
    words = Words("key", "t", "c", "band", "grade", "patients")
    chart = share_figure(words, [share("all", "grade 1", 2, 26), share("all", "grade 2", 1, 26)])
    assert any("26" in word for word in words_of(chart.svg)) and not any("52" in word for word in words_of(chart.svg))


def test_a_drawing_says_what_it_has_no_room_for() -> None:
    shares = [share(f"site {n}", "all", 1, 100 - n) for n in range(40)]
    chart = share_figure(WORDS, shares)
    assert "The 24 largest of 40 categories are drawn; all are in the table." in chart.caption
    assert len(chart.rows) == 40 and chart.wide
    drawn = {word for word in words_of(chart.svg) if word.startswith("site")}
    assert len(drawn) == 24 and any("77" in word for word in drawn) and not any("76" in word for word in drawn)


def test_nothing_to_draw_is_said_and_keeps_its_table() -> None:
    for chart in (
        share_figure(WORDS, [share("60-69", "women", 0, 0)]),
        count_figure(WORDS, [Count("60-69", "women", 0)], {"women": "#000"}),
        mean_figure(WORDS, [Mean("60-69", "women", 0, 7, None, None)], "HU"),
    ):
        assert chart.svg == "" and chart.empty == "Nothing to draw: there are no patients with a value."
        assert len(chart.rows) == 1


def test_bars_stack_in_the_order_given_with_their_colours() -> None:
    counts = [Count("60-69", "high", 3), Count("60-69", "low", 2), Count("70-79", "low", 1)]
    chart = count_figure(WORDS, counts, {"low": "#00AA00", "mid": "#0000AA", "high": "#AA0000"})
    assert [w for w in words_of(chart.svg) if w in ("low", "mid", "high")] == ["low", "high"]
    assert "#0000AA" not in chart.svg
    assert "6 patients; the largest part is 60-69, high, with 3" in chart.alt


def test_a_mean_of_one_has_no_spread() -> None:
    chart = mean_figure(WORDS, [Mean("60-69", "women", 1, 4, 123.4, None)], "HU")
    assert chart.rows == (("60-69", "women", "123.4", "unknown", "1", "4"),)
    assert chart.svg


def test_ids_of_two_drawings_do_not_meet() -> None:
    shares = [share("60-69", "women", 1, 26), share("70-79", "men", 2, 26)]
    first = share_figure(Words("one", "t", "c", "band", "sex", "patients"), shares).svg
    second = share_figure(Words("two", "t", "c", "band", "sex", "patients"), shares).svg
    ids = [re.findall(r'\bid="([^"]+)"', svg) for svg in (first, second)]
    assert not set(ids[0]) & set(ids[1])
    for svg in (first, second):
        assert "style=" not in svg and "<script" not in svg, "the page's policy would refuse it"
        assert 'aria-hidden="true"' in svg[:60]


def test_unknown_is_grey_and_every_group_has_its_shape() -> None:
    legend = Legend("sex", ("women", "men", "unknown"))
    assert legend.colours[2] == GREY and len(set(legend.colours)) == len(set(legend.shapes)) == 3
