"""The index of an archive inside the lake as it is read: FILES and MANIFEST rows as Parquet parts behind one pointer.

Belongs here: which parts count, rows of given series or studies. Does not belong here: making an index
(`lake.manifest_writer`), what a row says (`schema.index_tables`).

A part counts when the pointer names it, so a reader sees the old index or the new one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from vfscreen.errors import FileState, LakeError
from vfscreen.lake import paths
from vfscreen.lake.store import Lake

Row = dict[str, Any]

_BATCH_ROWS = 10_000


@dataclass(frozen=True)
class Pointer:
    """What manifest/CURRENT.json holds: the part files that count, those of the index before, and what they were made
    from (see `manifest_writer.IndexWriter`)."""

    archive: str | None = None
    reader: str | None = None
    settings: str | None = None
    files: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    previous: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        return self.files + self.series


def read_pointer(lake: Lake) -> Pointer:
    """The index that counts; an empty one where the lake has none. LakeError where it is damaged."""
    try:
        found = json.loads(lake.store.read_bytes(paths.MANIFEST_POINTER))
        return Pointer(
            found.get("archive"),
            found.get("reader"),
            found.get("settings"),
            tuple(found["files"]),
            tuple(found["series"]),
            tuple(found.get("previous", ())),
        )
    except FileNotFoundError:
        return Pointer()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LakeError(
            f"{paths.MANIFEST_POINTER} of {lake.url} is damaged: remove it and index again (tables are not touched)"
        ) from error


def archive_of(lake: Lake) -> str | None:
    """URL of the archive that was indexed."""
    return read_pointer(lake).archive


def files_of_series(lake: Lake, series: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[Row]]:
    """FILES rows of each (StudyInstanceUID, SeriesInstanceUID), by path; an empty list where there are none.

    Parts are sorted by these UIDs, so only a few row groups are read.
    """
    found: dict[tuple[str, str], list[Row]] = {key: [] for key in series}
    pointer = read_pointer(lake)
    if not pointer.files or not series:
        return found
    with duckdb.connect(":memory:") as connection:
        source = read_parts(connection, lake, pointer.files)
        keys = pa.table({"study": [s for s, _ in series], "series": [s for _, s in series]})
        connection.register("keys", keys)
        low, high = min(s for s, _ in series), max(s for s, _ in series)
        # the range lets DuckDB skip row groups by their statistics, which a join alone does not
        reader = connection.execute(
            f"SELECT f.* FROM {source} AS f JOIN keys AS k ON f.SeriesInstanceUID = k.series "
            "AND coalesce(f.StudyInstanceUID, '') = k.study "
            "WHERE coalesce(f.StudyInstanceUID, '') BETWEEN ? AND ? AND file_state = ? ORDER BY f.path, f.member",
            [low, high, FileState.INSTANCE.value],
        ).to_arrow_reader(_BATCH_ROWS)
        for batch in reader:
            for row in batch.to_pylist():
                found[row["StudyInstanceUID"] or "", row["SeriesInstanceUID"]].append(row)
    return found


def series_of_studies(lake: Lake, studies: Sequence[str]) -> list[Row]:
    """MANIFEST rows of every series of these StudyInstanceUIDs, by their UIDs. Reads a few row groups only."""
    pointer = read_pointer(lake)
    if not pointer.series or not studies:
        return []
    with duckdb.connect(":memory:") as connection:
        source = read_parts(connection, lake, pointer.series)
        found = connection.execute(
            f"SELECT * FROM {source} WHERE StudyInstanceUID BETWEEN ? AND ? AND list_contains(?, StudyInstanceUID) "
            "ORDER BY StudyInstanceUID, SeriesInstanceUID",
            [min(studies), max(studies), list(studies)],
        )
        rows: list[Row] = found.to_arrow_table().to_pylist()
    return rows


def read_parts(connection: Any, lake: Lake, parts: Sequence[str]) -> str:
    """A DuckDB table expression over part files of the lake."""
    if not lake.store.is_local:
        connection.register_filesystem(lake.store.fs)
    return f"read_parquet([{', '.join(quoted(lake.store.qualified(p)) for p in parts)}], union_by_name = true)"


def quoted(text: str) -> str:
    """A string literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
