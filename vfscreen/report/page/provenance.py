"""Where the numbers of the page come from: sweeps, releases, weight cards, settings, data checks, columns.

Belongs here: turning runs, cards, settings, checks and declared columns into tables of words. Does not belong here:
what a check looks for (`vfscreen.lake.checks`), what a card must say (`vfscreen.models.cards`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from vfscreen.errors import REASONS, WeightsError
from vfscreen.lake.ledger import ledger, run_checks
from vfscreen.lake.store import Lake
from vfscreen.lake.views import head_comment, sql_files
from vfscreen.models.cards import Metric, WeightCard
from vfscreen.models.registry import read_release, release_name
from vfscreen.report.page import text
from vfscreen.schema.dictionary import HEADINGS, cells
from vfscreen.schema.tables import TABLES
from vfscreen.settings import ScreeningSettings

Row = Mapping[str, Any]
Words = tuple[tuple[str, ...], ...]

_RUNS_SHOWN = 20
_EXAMPLE_CHARACTERS = 300


@dataclass(frozen=True)
class Checks:
    """What the lake's account and data checks said. rows: check, result, meaning. ran: False where nobody asked."""

    ran: bool
    problems: tuple[str, ...] = ()
    rows: Words = ()
    examples: tuple[tuple[str, str], ...] = ()

    @property
    def failed(self) -> bool:
        return bool(self.problems or self.examples)


@dataclass(frozen=True)
class Card:
    """A weight card in words."""

    name: str
    kind: str
    version: str
    description: str
    architecture: str
    licence: str
    sha256: str
    sources: Words
    metrics: Words
    limitations: tuple[str, ...]


@dataclass(frozen=True)
class Provenance:
    """The part of the page that says how its numbers came to be."""

    run_headings: tuple[str, ...]
    runs: Words
    runs_left_out: str
    release_headings: tuple[str, ...]
    releases: Words
    cards: tuple[Card, ...]
    cards_note: str
    settings: Words
    queries: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class DictionaryTable:
    """A declared table in words."""

    name: str
    row_is: str
    key: tuple[str, ...]
    headings: tuple[str, ...]
    rows: Words


def provenance(runs: Sequence[Row], kept_settings: Sequence[Row], queries: Mapping[str, str]) -> Provenance:
    """runs, kept_settings: rows of the named queries `runs` and `settings`, the latest first. queries: name and
    description of every question that was asked for the page."""
    shown = runs[:_RUNS_SHOWN]
    left_out = (
        f"{len(runs) - len(shown)} older sweeps are not shown: vfscreen query runs." if len(runs) > len(shown) else ""
    )
    latest = next(iter(kept_settings), None)
    settings = json.loads(latest["settings_json"]) if latest else {}
    cards, note = _cards(latest["model_release"], settings.get("screening")) if latest else ((), "")
    return Provenance(
        run_headings=("sweep", "started", "finished", "outcome", "shards done", "release", "program", "archive"),
        runs=tuple(_run(row) for row in shown),
        runs_left_out=left_out,
        release_headings=("release", "sweeps", "last used"),
        releases=_releases(runs),
        cards=cards,
        cards_note=note,
        settings=_settings(settings),
        queries=tuple(queries.items()),
    )


def checks(lake: Lake, model_release: str | None) -> Checks:
    """Run the account and every data check. Reads every landed file once."""
    failures = {f.check: f for f in run_checks(lake, model_release)}
    names = [item for folder in ("accounts", "findings") for item in sql_files("vfscreen.lake", f"checks/{folder}")]
    rows = tuple(
        (name, f"FAILED: {failures[name].count:,} row(s)" if name in failures else "passed", head_comment(sql))
        for name, sql in names
    )
    examples = tuple((n, str(f.examples[0])[:_EXAMPLE_CHARACTERS]) for n, f in failures.items())
    return Checks(True, ledger(lake, model_release).problems, rows, examples)


def dictionary() -> tuple[DictionaryTable, ...]:
    """Every table of the lake, as declared."""
    return tuple(
        DictionaryTable(t.name, t.row_is, t.key, HEADINGS, tuple(cells(column) for column in t.columns)) for t in TABLES
    )


def reasons() -> Words:
    """Every reason code with its meaning."""
    return tuple((code.value, meaning) for code, meaning in REASONS.items())


def _run(row: Row) -> tuple[str, ...]:
    outcome = text.word(row["outcome"]) if row["outcome"] else "not finished"
    return (
        row["run_id"],
        text.day(row["started_at"]),
        text.day(row["finished_at"]),
        f"{outcome}: {row['message']}" if row["message"] else outcome,
        f"{text.count(row['shards_done'])} of {text.count(row['shards_planned'])}",
        row["model_release"],
        row["vfscreen_version"],
        row["archive"],
    )


def _releases(runs: Sequence[Row]) -> Words:
    found: dict[str, list[Row]] = {}
    for row in runs:
        found.setdefault(row["model_release"], []).append(row)
    return tuple((name, text.count(len(rows)), text.day(rows[0]["started_at"])) for name, rows in found.items())


def _cards(release: str, screening: Any) -> tuple[tuple[Card, ...], str]:
    """The cards of a release of this installation, and what to say where they are not those the rows were made with."""
    stem = release.rpartition("-")[0]
    try:
        expected = release_name(stem, ScreeningSettings.model_validate(screening))
        if expected == release:
            return tuple(_card(card) for card in read_release(stem).values()), ""
    except (WeightsError, ValidationError):
        return (), f"The cards of release {release} are not part of this installation: they lie beside its weights."
    return (), (
        f"Release {release} is not the {stem} release of this installation ({expected}): its cards are those of the "
        "program version that the sweep names above."
    )


def _card(card: WeightCard) -> Card:
    return Card(
        name=card.name,
        kind=card.kind,
        version=card.version,
        description=card.description,
        architecture=card.architecture,
        licence=card.licence,
        sha256=card.sha256,
        sources=tuple((s.name, s.use, s.origin, s.licence) for s in card.training_data),
        metrics=tuple(_metric(m) for m in card.metrics),
        limitations=card.limitations,
    )


def _metric(metric: Metric) -> tuple[str, ...]:
    limits = "none given" if metric.ci95 is None else f"{metric.ci95[0]:.3g} to {metric.ci95[1]:.3g}"
    return (metric.name, f"{metric.value:.3g} {metric.unit}".strip(), limits, text.count(metric.n), metric.data)


def _settings(settings: Mapping[str, Any]) -> Words:
    """Every setting but where the site keeps its keys, which has no business in a page that travels."""
    return tuple(
        (f"{section}.{name}", json.dumps(value))
        for section, values in settings.items()
        if section != "identity"
        for name, value in (values.items() if isinstance(values, Mapping) else [("", values)])
    )
