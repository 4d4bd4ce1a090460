"""The page in a real browser (headless Chromium): nothing loaded, nothing broken, usable by keyboard, fit for print.

Skipped where no Chromium is installed (`apt-get install chromium`); CI installs it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from vfscreen.lake.store import Lake
from vfscreen.report.page.build import ReportOptions, build_report
from vfscreen.report.page.render import SECTIONS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(found_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> str:
    """file:// address of a page with findings, three pictures and every section."""
    out = tmp_path_factory.mktemp("page") / "report.html"
    report = build_report(found_lake, out, ReportOptions(note="Synthetic data: nobody in it exists."))
    assert report.pictures == 3
    out.write_text(report.html, encoding="utf-8")
    return out.as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page, opened with nothing said on the console and nothing loaded but itself."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    said: list[str] = []
    asked: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(address)
    opened.wait_for_load_state("networkidle")
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [address]
    yield opened
    opened.close()


def test_every_section_is_there_with_its_pictures(page: Page) -> None:
    assert [h.inner_text() for h in page.locator("main h2").all()] == [s.title for s in SECTIONS]
    broken = page.evaluate("[...document.images].filter(i => !i.complete || i.naturalWidth < 500).map(i => i.alt)")
    assert broken == [] and page.locator("img").count() == 3
    assert all(len(alt or "") > 30 for alt in page.locator("img").evaluate_all("all => all.map(i => i.alt)"))
    drawings = page.locator(".drawing")
    assert drawings.count() >= 8
    for drawing in drawings.all():
        box = drawing.locator("svg").bounding_box()
        assert box is not None and box["width"] > 300 and box["height"] > 150
        assert len(drawing.get_attribute("aria-label") or "") > 30
        assert drawing.locator("xpath=ancestor::figure//table").count() == 1, "a drawing without its numbers"


def test_the_policy_keeps_the_page_from_loading(page: Page) -> None:
    refused = page.evaluate(
        """() => new Promise(done => {
            document.addEventListener('securitypolicyviolation', e => done(e.violatedDirective));
            const image = document.createElement('img');
            image.src = 'http://127.0.0.1:9/x.png';
            document.body.append(image);
            setTimeout(() => done('loaded'), 3000);
        })"""
    )
    assert refused == "img-src"


def test_headings_are_in_order(page: Page) -> None:
    levels = page.locator("h1, h2, h3, h4").evaluate_all("all => all.map(h => Number(h.tagName[1]))")
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_keyboard_reaches_everything(page: Page) -> None:
    page.keyboard.press("Tab")
    focus = "document.activeElement"
    assert page.evaluate(f"{focus}.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate(f"{focus}.id") == "main"
    seen = set()
    for _ in range(200):
        page.keyboard.press("Tab")
        name = page.evaluate(f"{focus} ? {focus}.tagName + ' ' + ({focus}.closest('section') || {{}}).id : 'none'")
        if name.startswith("BODY"):
            break
        outline = page.evaluate(f"getComputedStyle({focus}).outlineStyle + getComputedStyle({focus}).outlineWidth")
        assert outline == "solid3px", f"focus cannot be seen on {name}"
        seen.add(name)
    assert {"A worklist", "INPUT worklist", "SUMMARY worklist", "SUMMARY prevalence", "SUMMARY dictionary"} <= seen


def test_details_and_pictures_open_by_keyboard(page: Page) -> None:
    summary = page.locator("#prevalence-age summary")
    table = page.locator("#prevalence-age table")
    assert not table.is_visible()
    summary.focus()
    page.keyboard.press("Enter")
    assert table.is_visible()
    picture = page.locator("#patient-1 img")
    narrow = picture.bounding_box()
    page.locator("#patient-1 .zoom").focus()
    page.keyboard.press("Space")
    wide = picture.bounding_box()
    assert narrow is not None and wide is not None and wide["width"] > 1.4 * narrow["width"]


def test_narrow_screens_do_not_scroll_sideways(page: Page) -> None:
    for width in (360, 768, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_print_has_pages_numbers_and_every_table(page: Page, tmp_path: Path) -> None:
    page.emulate_media(media="print")
    hidden = page.locator("details table").evaluate_all(
        "all => all.filter(t => !t.checkVisibility({contentVisibilityAuto: true})).length"
    )
    assert hidden == 0 and page.locator("details table").count() > 10
    assert not page.locator("nav.contents").is_visible()
    target = tmp_path / "report.pdf"
    page.pdf(path=target, prefer_css_page_size=True)
    pages = re.findall(rb"/Type\s*/Page\b", target.read_bytes())
    assert 8 <= len(pages) <= 80


@pytest.mark.parametrize("opened", [False, True])
def test_axe_finds_nothing(page: Page, opened: bool) -> None:
    if opened:
        page.locator("details").evaluate_all("all => all.forEach(d => { d.open = true })")
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
