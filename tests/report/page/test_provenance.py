"""Sweeps, cards, settings and checks as the page says them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from vfscreen.lake.store import Lake
from vfscreen.models.registry import read_release, release_name
from vfscreen.report.page.provenance import checks, dictionary, provenance, reasons
from vfscreen.schema.tables import TABLES
from vfscreen.settings import Settings


def run(release: str, **values: Any) -> dict[str, Any]:
    started = datetime(2024, 2, 1, 10, tzinfo=UTC)
    return {
        "run_id": "run-1",
        "started_at": started,
        "finished_at": None,
        "outcome": None,
        "message": None,
        "model_release": release,
        "shards_planned": 3,
        "shards_done": None,
        "archive": "archive",
        "vfscreen_version": "0.1.0",
        "settings_json": Settings().model_dump_json(),
        **values,
    }


def test_the_cards_of_the_release_that_swept_are_shown() -> None:
    release = release_name("default", Settings().screening)
    rows = [run(release)]
    found = provenance(rows, rows, {})
    assert {c.sha256 for c in found.cards} == {c.sha256 for c in read_release("default").values()}
    assert all(card.sources and card.licence and card.limitations for card in found.cards)
    assert found.cards_note == ""


def test_another_release_has_no_cards_here_and_that_is_said() -> None:
    rows = [run("default-00000000")]
    assert provenance(rows, rows, {}).cards == ()
    assert "default-00000000 is not the default release" in provenance(rows, rows, {}).cards_note
    own = [run("hospital-00000000")]
    assert "not part of this installation" in provenance(own, own, {}).cards_note


def test_an_unfinished_sweep_is_not_called_completed() -> None:
    rows = [run("default-00000000")]
    (words,) = provenance(rows, rows, {}).runs
    assert words[2:5] == ("unknown", "not finished", "unknown of 3")


def test_settings_are_all_there_but_where_keys_lie() -> None:
    rows = [
        run(
            "default-00000000",
            settings_json=json.dumps({"identity": {"key_file": "/secret"}, "overlay": {"draw": "all"}}),
        )
    ]
    assert provenance(rows, rows, {}).settings == (("overlay.draw", '"all"'),)


def test_old_sweeps_are_counted_where_not_shown() -> None:
    rows = [run("default-00000000", run_id=f"run-{n}") for n in range(25)]
    found = provenance(rows, rows, {})
    assert len(found.runs) == 20 and found.runs_left_out.startswith("5 older sweeps")
    assert found.releases == (("default-00000000", "25", "2024-02-01 10:00 UTC"),)


def test_every_check_is_named_with_its_result(found_lake: Lake) -> None:
    found = checks(found_lake, None)
    assert found.ran and not found.failed
    assert {row[1] for row in found.rows} == {"passed"}
    assert {"series_key_unique", "grade_follows_loss"} <= {row[0] for row in found.rows}
    assert all(row[2] for row in found.rows)


def test_the_dictionary_is_every_declared_column() -> None:
    found = {t.name: t for t in dictionary()}
    assert set(found) == {t.name for t in TABLES}
    for table in TABLES:
        assert [row[0] for row in found[table.name].rows] == [c.name for c in table.columns]
    assert dict(reasons())["truncated"]
