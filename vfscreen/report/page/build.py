"""`build_report`: a lake in, the page out.

Belongs here: the order in which the page is put together, what a caller may choose. Does not belong here: any figure,
any wording of a section.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from vfscreen import __version__
from vfscreen.cohort.filter import CohortFilter
from vfscreen.cohort.queries import open_cohort
from vfscreen.lake.store import Lake
from vfscreen.report.page import facts, sections, text
from vfscreen.report.page.agreement import agreement
from vfscreen.report.page.answers import Answers
from vfscreen.report.page.gallery import LISTED_MAX, Worklist, worklist
from vfscreen.report.page.pictures import Album
from vfscreen.report.page.provenance import Checks, checks, dictionary, provenance, reasons
from vfscreen.report.page.render import Page, render

TOP_MAX = 200
"""Cards of the gallery at most; as many places of the worklist the query `flagged` describes."""

PICTURES_BUDGET_BYTES = 6_000_000
"""Compressed pictures of one page, so that it stays below 10 MB."""


@dataclass(frozen=True)
class ReportOptions:
    """What a caller may choose.

    question: which exams the page is about. top: cards in the gallery, 0 .. TOP_MAX. title, note: heading and a
    remark at the top of the page. run_checks: account and data checks too; they read every landed file once.
    """

    question: CohortFilter = field(default_factory=CohortFilter)
    model_release: str | None = None
    top: int = 24
    title: str = "Vertebral fracture screening report"
    note: str = ""
    run_checks: bool = True


@dataclass(frozen=True)
class Report:
    """The page, and what a caller says about it. checks_failed: an account or a check of the lake did."""

    html: str
    patients_listed: int
    cards: int
    pictures: int
    checks_failed: bool

    @property
    def size_bytes(self) -> int:
        return len(self.html.encode())


def build_report(lake: Lake, out: Path | None = None, options: ReportOptions | None = None) -> Report:
    """The page about a lake. out: where it will lie; overlays of a local lake are then linked from there.

    FilterError for a filter that a query of the page cannot count by (`exams` must be latest or first); LakeError where
    the lake is damaged.
    """
    options = options or ReportOptions()
    if not 0 <= options.top <= TOP_MAX:
        raise ValueError(f"top is {options.top}, not 0 .. {TOP_MAX}")
    album = Album(lake, PICTURES_BUDGET_BYTES)
    with open_cohort(lake, options.model_release) as cohort:
        answers = Answers(cohort, options.question)
        found = _worklist(answers, album, options.top, _links(lake, out))
        page = _page(lake, answers, found, options)
    return Report(
        html=render(page),
        patients_listed=len(found.rows),
        cards=len(found.entries),
        pictures=sum(e.picture is not None for e in found.entries),
        checks_failed=page.checks.failed,
    )


def _page(lake: Lake, answers: Answers, found: Worklist, options: ReportOptions) -> Page:
    tiles, flow, incident = facts.tiles(answers), facts.flow(answers), facts.incident(answers)
    prevalence, findings = sections.prevalence(answers), sections.findings(answers)
    density, drift = sections.density(answers), sections.drift(answers)
    drift_rows, drift_rest = sections.drift_rows(answers)
    beside = agreement(answers)  # before provenance, which names every query that was asked
    origin = provenance(answers.ask("runs"), answers.ask("settings"), answers.asked)
    return Page(
        title=options.title,
        note=options.note,
        made_at=text.day(datetime.now(UTC)),
        version=__version__,
        lake_url=lake.url,
        release=options.model_release,
        filters=tuple((text.spaced(name), text.word(value)) for name, value in answers.restricted.items()),
        filter_note=_not_heeded(answers),
        tiles=tiles,
        flow=flow,
        prevalence=prevalence,
        findings=findings,
        incident=incident,
        agreement=beside,
        density=density,
        drift=drift,
        drift_headings=sections.DRIFT_HEADINGS,
        drift_rows=drift_rows,
        drift_rest=drift_rest,
        worklist=found,
        checks=checks(lake, options.model_release) if options.run_checks else Checks(ran=False),
        provenance=origin,
        dictionary=dictionary(),
        reasons=reasons(),
    )


def _worklist(answers: Answers, album: Album, top: int, href: Callable[[str], str | None]) -> Worklist:
    rows, total = answers.first("worklist", LISTED_MAX)
    flagged: dict[int, list[dict[str, object]]] = {}
    if top:
        for row in answers.ask("flagged"):
            flagged.setdefault(row["place"], []).append(row)
    by_grade = 1 if answers.restricted.get("grade_min") == 1 else 2
    return worklist(rows, total, flagged, album, top, href, by_grade)


def _links(lake: Lake, out: Path | None) -> Callable[[str], str | None]:
    """Path of a file in the lake -> link from the page, where the lake is a folder."""
    if out is None or not lake.store.is_local:
        return lambda path: None
    folder = os.path.relpath(lake.store.qualified(""), out.resolve().parent)
    return lambda path: quote(Path(folder, path).as_posix())


def _not_heeded(answers: Answers) -> str:
    """Which sections cannot be restricted as asked: never passed over in silence."""
    parts = [
        f"{name} does not heed {', '.join(text.spaced(f) for f in fields)}"
        for name, fields in answers.not_heeded.items()
        if name not in ("runs", "settings", "reasons")
    ]
    return f"Queries that count otherwise: {'; '.join(parts)}." if parts else ""
