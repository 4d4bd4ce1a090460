"""What the rules read in a text before: a report is read once, however often the audit is made.

Belongs here: remembering mentions by the text's hash. Does not belong here: reading (`mentions`), which reports belong
to the lake (`readings`).

A SQLite file in the audits' private folder, readable by its owner only. It holds no report: a hash of each text, and
of its mentions the places and the few words that decided. Whatever is wrong with it costs time, never a result: a
damaged file is made anew, and where none can be kept every report is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from vfscreen.audit.mentions import Mention, Reads, Status
from vfscreen.audit.private import FILE_MODE

CACHE_FILE = "readings.sqlite"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS readings (
    rules TEXT, text_sha256 TEXT, mentions TEXT, PRIMARY KEY (rules, text_sha256)
) WITHOUT ROWID
"""
_COMMIT_ROWS = 500


class CachedReader:
    """Reads by `reader`, and by what was remembered under the same `rules`.

    rules: names everything that decides a reading besides the text. read_count, remembered_count: of this run.
    """

    def __init__(self, reader: Reads, path: Path, rules: str) -> None:
        self._reader, self._path, self._rules = reader, path, rules
        self._connection = _open(path)
        self.read_count = self.remembered_count = 0

    def __enter__(self) -> CachedReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._connection is not None:
                self._connection.commit()
                self._connection.close()

    def read(self, text: str) -> list[Mention]:
        """Mentions of a text, as `reader` reads them."""
        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        known = self._recall(key)
        if known is not None:
            self.remembered_count += 1
            return known
        self.read_count += 1
        mentions = self._reader.read(text)
        self._remember(key, mentions)
        return mentions

    def _recall(self, key: str) -> list[Mention] | None:
        if self._connection is None:
            return None
        try:
            row = self._connection.execute(
                "SELECT mentions FROM readings WHERE rules = ? AND text_sha256 = ?", (self._rules, key)
            ).fetchone()
            return None if row is None else _mentions(row[0])
        except (sqlite3.Error, ValueError, TypeError, KeyError):
            self._give_up()
            return None

    def _remember(self, key: str, mentions: Sequence[Mention]) -> None:
        if self._connection is None:
            return
        try:
            text = json.dumps([asdict(m) for m in mentions])
            self._connection.execute("INSERT OR REPLACE INTO readings VALUES (?, ?, ?)", (self._rules, key, text))
            if self.read_count % _COMMIT_ROWS == 0:
                self._connection.commit()
        except sqlite3.Error:
            self._give_up()

    def _give_up(self) -> None:
        """From here on every report is read; what is in the file may be wrong, so it goes."""
        with contextlib.suppress(sqlite3.Error):
            if self._connection is not None:
                self._connection.close()
        self._connection = None
        with contextlib.suppress(OSError):
            self._path.unlink()


def _open(path: Path) -> sqlite3.Connection | None:
    """The file's connection; a damaged file is made anew. None where none can be kept."""
    for _ in range(2):
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, FILE_MODE))
            connection = sqlite3.connect(path, timeout=30.0)
            connection.execute(_SCHEMA)
        except sqlite3.OperationalError:  # locked, or a disk that takes no more: not damaged
            return None
        except sqlite3.DatabaseError:
            with contextlib.suppress(OSError):
                path.unlink()
        except OSError:
            return None
        else:
            return connection
    return None


def _mentions(text: str) -> list[Mention]:
    return [_mention(item) for item in json.loads(text)]


def _mention(item: dict[str, Any]) -> Mention:
    return Mention(**{**item, "status": Status(item["status"]), "levels": tuple(item["levels"])})
