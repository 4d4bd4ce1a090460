"""The page of whole lakes: its numbers are the queries', nothing is lost, nothing is loaded."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.report.page.conftest import many
from vfscreen.cohort.filter import CohortFilter, FilterError
from vfscreen.cohort.queries import run_named
from vfscreen.lake.store import Lake
from vfscreen.report.page.build import PICTURES_BUDGET_BYTES, TOP_MAX, Report, ReportOptions, build_report
from vfscreen.report.page.gallery import LISTED_MAX
from vfscreen.report.page.render import SECTIONS

FEW_CHECKS = ReportOptions(run_checks=False)


class Page(HTMLParser):
    """Ids, internal links, what would be loaded, and the visible text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.anchors: list[str] = []
        self.loads: list[str] = []
        self.tags: dict[str, int] = {}
        self.parts: list[str] = []
        self._hidden = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self._hidden += tag in ("style", "svg")
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "srcset", "data", "poster", "action") or (
                name == "href" and tag in ("link", "use", "image")
            ):
                self.loads.append(value or "")
            if name == "href" and tag == "a" and (value or "").startswith("#"):
                self.anchors.append((value or "")[1:])

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "svg")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.parts))


def page_of(report: Report) -> Page:
    """The page, of which a few things hold always."""
    page = Page(report.html)
    assert len(set(page.ids)) == len(page.ids), "an id stands twice"
    assert set(page.anchors) <= set(page.ids), "a link leads nowhere"
    assert all(load.startswith("data:image/webp;base64,") for load in page.loads)
    assert "script" not in page.tags and "link" not in page.tags and "iframe" not in page.tags
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", report.html)
    assert "url(http" not in report.html and "@import" not in report.html
    assert "default-src 'none'" in report.html
    assert {s.key for s in SECTIONS} <= set(page.ids)
    assert not re.search(r"\b(None|nan|inf|undefined)\b", page.text)
    return page


def test_headline_numbers_are_the_queries(found_lake: Lake) -> None:
    report = build_report(found_lake)
    text = page_of(report).text
    (overall,) = run_named(found_lake, "prevalence", question=CohortFilter(by=())).rows()
    k, n, low, high = (
        overall[c] for c in ("patients_grade2", "patients", "prevalence_grade2_low", "prevalence_grade2_high")
    )
    assert (k, n) == (12, 40)
    assert f"30.0 % 95 % CI {100 * low:.1f} to {100 * high:.1f} % 12 of 40 with a graded vertebra" in text
    assert "Patients without an age 3 without a sex: 13" in text
    assert (report.cards, report.pictures, report.patients_listed) == (12, 3, 40)
    assert not report.checks_failed
    assert "The account reconciles" in text


def test_missing_values_are_groups_of_their_own(found_lake: Lake) -> None:
    text = page_of(build_report(found_lake, options=FEW_CHECKS)).text
    by_site = run_named(found_lake, "prevalence", question=CohortFilter(by=("site",))).rows()
    unknown = next(r for r in by_site if r["InstitutionName"] == "unknown")
    assert unknown["patients"] == 13
    assert f"unknown grade 2 or more {100 * unknown['prevalence_grade2']:.1f} %" in text
    assert "unknown: 20" in text  # patients without a reference density


def test_free_text_of_headers_cannot_become_markup(found_lake: Lake) -> None:
    html = build_report(found_lake, options=ReportOptions(run_checks=False, title="<script>alert(1)</script>")).html
    assert "<West>" not in html and "&lt;West&gt;" in html
    assert "<script" not in html


def test_an_empty_lake_has_a_page(empty_lake: Lake) -> None:
    report = build_report(empty_lake)
    text = page_of(report).text
    assert "No patient has a graded vertebra." in text
    assert "No sweep has run on this lake." in text
    assert "Nothing to draw" in text
    assert report.cards == report.pictures == 0


def test_without_a_fracture_the_worklist_says_so(sound_lake: Lake) -> None:
    report = build_report(sound_lake, options=FEW_CHECKS)
    text = page_of(report).text
    assert "No vertebra was flagged (grade 1 or more) in 9 patients with a graded vertebra." in text
    assert "0 of 9 with a graded vertebra" in text
    assert (report.cards, report.patients_listed) == (0, 9)


def test_only_rejected_series_are_accounted_for(rejected_lake: Lake) -> None:
    text = page_of(build_report(rejected_lake)).text
    assert "rejected: not best series: 4" in text
    assert "no series screened: 4" in text
    assert "No patient has a graded vertebra." in text


def test_hundreds_of_patients_stay_a_page(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    many(lake, LISTED_MAX + 40, 350, pictures=4)
    report = build_report(lake, options=ReportOptions(run_checks=False, top=TOP_MAX))
    text = page_of(report).text
    assert (report.cards, report.pictures, report.patients_listed) == (TOP_MAX, 4, LISTED_MAX)
    assert "40 further patients are not listed here" in text
    assert report.size_bytes < 3_000_000


def test_the_budget_keeps_the_page_small(found_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    assert PICTURES_BUDGET_BYTES * 4 / 3 < 9_000_000
    monkeypatch.setattr("vfscreen.report.page.build.PICTURES_BUDGET_BYTES", 1)
    report = build_report(found_lake, options=FEW_CHECKS)
    assert (report.cards, report.pictures) == (12, 1)
    assert "Not embedded" in page_of(report).text


def test_a_filter_restricts_every_section_and_is_said(found_lake: Lake) -> None:
    question = CohortFilter(sex=("F",), grade_min=1)
    report = build_report(found_lake, options=ReportOptions(question=question, run_checks=False))
    page = page_of(report)
    (women,) = run_named(found_lake, "prevalence", question=CohortFilter(sex=("F",), by=())).rows()
    assert f"{women['patients_grade2']} of {women['patients']} with a graded vertebra" in page.text
    assert "Only a part of the lake is shown: sex F; grade min 1." in page.text
    assert "grades does not heed grade min" in page.text
    assert "Patients with grade 1 or more, by age and sex" in page.text


def test_a_filter_no_query_can_count_by_is_refused(found_lake: Lake) -> None:
    with pytest.raises(FilterError, match="latest or first"):
        build_report(found_lake, options=ReportOptions(question=CohortFilter(exams="all")))


def test_overlays_of_a_local_lake_are_linked_from_the_page(found_lake: Lake, tmp_path: Path) -> None:
    out = tmp_path / "reports" / "report.html"
    out.parent.mkdir()
    html = build_report(found_lake, out, FEW_CHECKS).html
    links = re.findall(r'<a href="([^"#]+\.png)">', html)
    assert len(links) == 3
    assert all((out.parent / link).resolve().is_file() for link in links)
    assert not re.findall(r'<a href="([^"#]+\.png)">', build_report(found_lake, options=FEW_CHECKS).html)


def test_a_damaged_lake_is_said_on_the_page(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    many(lake, 3, 1)
    (shard,) = (tmp_path / "lake" / "tables" / "series").iterdir()
    pq.write_table(pq.read_table(shard), shard, compression="none")  # the same rows, not the file of the receipt
    report = build_report(lake)
    assert report.checks_failed
    assert "The account does not reconcile." in page_of(report).text


def test_top_has_limits(found_lake: Lake) -> None:
    with pytest.raises(ValueError, match="top is 201"):
        build_report(found_lake, options=ReportOptions(top=TOP_MAX + 1))
    report = build_report(found_lake, options=ReportOptions(top=0, run_checks=False))
    assert report.cards == 0 and report.patients_listed == 40
