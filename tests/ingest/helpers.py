"""Steps the ingest tests share: a folder's FILES rows, and its series."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from vfscreen.ingest.identity import Pseudonymiser
from vfscreen.ingest.scan import read_entries
from vfscreen.ingest.series import describe_series
from vfscreen.ingest.sources import Archive
from vfscreen.settings import AcceptSettings

KEY = b"a key for tests, 16+ bytes"


def scan(folder: Path | str) -> list[dict[str, Any]]:
    """FILES rows of an archive, read in this process, by path and member."""
    url = str(folder)
    batches = read_entries(url, Archive(url).list(), Pseudonymiser(KEY), processes=0)
    return sorted((r for b in batches for r in b.table.to_pylist()), key=lambda r: (r["path"], r["member"]))


def series(folder: Path | str) -> list[list[dict[str, Any]]]:
    """Instances of each series."""

    def key(row: dict[str, Any]) -> tuple[str, str]:
        return row["StudyInstanceUID"] or "", row["SeriesInstanceUID"]

    rows = sorted((r for r in scan(folder) if r["file_state"] == "instance"), key=key)
    return [list(g) for _, g in groupby(rows, key=key)]


def described(folder: Path | str, **accept: Any) -> dict[str, Any]:
    """MANIFEST row of the only series of a folder."""
    (rows,) = series(folder)
    return describe_series(rows, AcceptSettings(**accept))
