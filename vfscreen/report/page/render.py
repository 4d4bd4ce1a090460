"""What the page holds, and turning it into HTML.

Belongs here: the sections, the template environment, the policy that keeps the page from loading anything. Does not
belong here: any number (facts, figures, gallery, provenance), any question to the lake (answers).
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from vfscreen.report.page.agreement import Agreement
from vfscreen.report.page.chart import Chart
from vfscreen.report.page.facts import Incident, Stage, Tile
from vfscreen.report.page.gallery import Worklist
from vfscreen.report.page.provenance import Checks, DictionaryTable, Provenance


@dataclass(frozen=True)
class Page:
    """Everything the page shows, in words, drawings and pictures.

    filters: what the page is restricted to, as (name, value); filter_note says which parts are not restricted.
    """

    title: str
    note: str
    made_at: str
    version: str
    lake_url: str
    release: str | None
    filters: tuple[tuple[str, str], ...]
    filter_note: str
    tiles: tuple[Tile, ...]
    flow: tuple[Stage, ...]
    prevalence: tuple[Chart, ...]
    findings: tuple[Chart, ...]
    incident: Incident
    agreement: Agreement
    density: tuple[Chart, ...]
    drift: tuple[Chart, ...]
    drift_headings: tuple[str, ...]
    drift_rows: tuple[tuple[str, ...], ...]
    drift_rest: str
    worklist: Worklist
    checks: Checks
    provenance: Provenance
    dictionary: tuple[DictionaryTable, ...]
    reasons: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Section:
    """A section; its key is its anchor and the name of its template. fresh_page: starts a page in print."""

    key: str
    title: str
    fresh_page: bool = False


SECTIONS = (
    Section("summary", "Summary"),
    Section("flow", "From files to patients"),
    Section("prevalence", "Prevalence", fresh_page=True),
    Section("findings", "Levels, grades and shapes", fresh_page=True),
    Section("incident", "New fractures between examinations"),
    Section("agreement", "CT beside radiographs"),
    Section("density", "Bone density", fresh_page=True),
    Section("drift", "Years and scanners", fresh_page=True),
    Section("worklist", "Worklist", fresh_page=True),
    Section("checks", "Checks of the lake", fresh_page=True),
    Section("provenance", "Where the numbers come from"),
    Section("dictionary", "Data dictionary", fresh_page=True),
    Section("limits", "What this is not"),
)


def render(page: Page) -> str:
    """The page as one HTML document. It loads nothing: its policy allows its own style and data: images only."""
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    template = _environment().get_template("report.html.j2")
    return template.render(page=page, sections=SECTIONS, style=Markup(style), style_hash=Markup(digest)) + "\n"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("vfscreen.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _style() -> str:
    """The style sheet, which stands between <style> and </style> to the byte that its hash was taken of."""
    loader = _environment().loader
    assert loader is not None
    source, _, _ = loader.get_source(_environment(), "style.css")
    return source.strip()
