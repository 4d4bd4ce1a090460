"""Readings are remembered, and what is wrong with the memory costs time only."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.audit.builders import AuditSite
from vfscreen.audit.cache import CACHE_FILE, CachedReader
from vfscreen.audit.mentions import Mention, ReportReader
from vfscreen.audit.run import AuditResult

TEXTS = (
    "No acute fracture. Chronic wedge deformity of T12 with 30 % loss of height.",
    "Possible compression fracture of L1, Genant grade 2.",
    "Lungs are clear.",
)


class Counting:
    """A reader that counts what it is asked."""

    def __init__(self, reader: ReportReader) -> None:
        self._reader = reader
        self.asked: list[str] = []

    def read(self, text: str) -> list[Mention]:
        self.asked.append(text)
        return self._reader.read(text)


def read_all(reader: Counting, path: Path, rules: str = "en-1") -> list[list[Mention]]:
    reader.asked.clear()
    with CachedReader(reader, path, rules) as cached:
        return [cached.read(text) for text in TEXTS]


def test_a_text_is_read_once_and_remembered_as_it_was_read(english: ReportReader, tmp_path: Path) -> None:
    reader, path = Counting(english), tmp_path / CACHE_FILE
    plain = [english.read(text) for text in TEXTS]
    assert read_all(reader, path) == plain and len(reader.asked) == 3
    assert read_all(reader, path) == plain and reader.asked == []
    assert any(plain), "the texts must hold mentions"
    # other rules read anew, and leave what the first ones read
    assert read_all(reader, path, "en-2") == plain and len(reader.asked) == 3
    read_all(reader, path)
    assert reader.asked == []


def test_no_text_and_nobody_else(english: ReportReader, tmp_path: Path) -> None:
    path = tmp_path / CACHE_FILE
    read_all(Counting(english), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (
        b"Lungs are clear" not in path.read_bytes() and b"Possible compression fracture of L1" not in path.read_bytes()
    )


@pytest.mark.parametrize("damage", ["bytes", "row"])
def test_a_damaged_file_is_made_anew(english: ReportReader, tmp_path: Path, damage: str) -> None:
    reader, path = Counting(english), tmp_path / CACHE_FILE
    plain = read_all(reader, path)
    if damage == "bytes":
        path.write_bytes(b"not a database" * 200)
    else:
        with sqlite3.connect(path) as connection:
            connection.execute('UPDATE readings SET mentions = \'[{"status": "so-so"}]\'')
        connection.close()
    assert read_all(reader, path) == plain and len(reader.asked) == 3
    read_all(reader, path)  # a damaged row took the file with it
    assert read_all(reader, path) == plain and reader.asked == []


def test_where_none_can_be_kept_every_text_is_read(english: ReportReader, tmp_path: Path) -> None:
    reader = Counting(english)
    assert read_all(reader, tmp_path / "absent" / CACHE_FILE) == [english.read(text) for text in TEXTS]
    assert len(reader.asked) == 3


def test_an_audit_reads_only_what_none_before_read(
    run: Callable[..., AuditResult], site: AuditSite, tmp_path: Path
) -> None:
    first = run()
    assert first.read_anew > 0
    again = run()
    assert again.reused and again.read_anew == 0
    # another setting is another audit, of the same readings
    other = run(audit={"level_tolerance": 0})
    assert not other.reused and other.read_anew == 0
    # one more report is the one that is read
    more = tmp_path / "more.csv"
    line = site.reports.read_text().splitlines()[1].split(",")
    more.write_text(f"accession,date,text\n{line[0]},2024-01-01,An addendum: severe wedge fracture of T9.\n")
    added = run(reports=(str(site.reports), str(more)))
    assert added.read_anew == 1
    assert added.summary["reports"]["read"] == first.summary["reports"]["read"] + 1
    # and a memory of nothing gives the same bytes
    afresh = run(reports=(str(site.reports), str(more)), out=tmp_path / "elsewhere")
    assert afresh.read_anew > 1
    for path in added.folder.iterdir():
        assert path.read_bytes() == (afresh.folder / path.name).read_bytes()
