"""A new index of an archive: FILES and MANIFEST rows written as Parquet parts, then put behind the pointer.

Belongs here: replacing the index atomically, comparing an archive's listing with the index before, sorted streaming
of rows. Does not belong here: reading an index (`lake.manifest`), reading files (ingest), the order of the steps
(`screening.indexing`).

Parts are written under new names. Those of the index before are kept until the next one, for readers in flight. Nothing
is held in memory but one batch of rows and what DuckDB sorts, which goes to disk where it is large.
"""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from vfscreen.errors import FileState, ReasonCode
from vfscreen.lake import paths
from vfscreen.lake.atomic import older_than
from vfscreen.lake.manifest import Pointer, Row, quoted, read_parts, read_pointer
from vfscreen.lake.store import Lake
from vfscreen.lake.tables import COMPRESSION, with_provenance
from vfscreen.schema.columns import Table
from vfscreen.schema.tables import FILES, MANIFEST

_LISTING = pa.schema(
    [
        pa.field("path", pa.string()),
        pa.field("size_bytes", pa.int64()),
        pa.field("modified", pa.string()),
        pa.field("problem", pa.string()),
    ]
)
_PART_ROWS = 2_000_000
_GROUP_ROWS = 20_000
_BATCH_ROWS = 10_000
_ORPHAN_AGE_S = 86_400.0
_SORT_MEMORY = "1GB"


@dataclass
class IndexWriter:
    """One new index in the making; use as a context manager. Steps: `add_listing`, `changed`, `add_files`, `studies`,
    `add_series`, `publish`. Works in a temporary folder; nothing is in the lake before `publish`.

    archive: its URL. reader: names what FILES rows depend on besides the files (program, identity key): rows of another
    reader are not taken over. settings: names what MANIFEST rows depend on besides the FILES rows.
    """

    lake: Lake
    archive: str
    reader: str
    settings: str
    listed: int = 0
    _folder: Path = field(init=False)
    _connection: Any = field(init=False)
    _writers: dict[str, pq.ParquetWriter] = field(init=False, default_factory=dict)

    def __enter__(self) -> IndexWriter:
        self._folder = Path(tempfile.mkdtemp(prefix="vfscreen-index-"))
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("SET enable_progress_bar = false")
        self._connection.execute(f"SET temp_directory = '{self._folder}/spill'")
        self._connection.execute(f"SET memory_limit = '{_SORT_MEMORY}'")
        self._connection.execute("SET preserve_insertion_order = false")
        self.before = read_pointer(self.lake)
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers.values():
            writer.close()
        self._connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def add_listing(self, entries: Iterable[tuple[str, int, str, str | None]]) -> Iterator[int]:
        """Stores the archive's listing: (path, size_bytes, modified, problem). Yields how many were stored so far."""
        with pq.ParquetWriter(self._folder / "listing.parquet", _LISTING, compression=COMPRESSION) as writer:
            for batch in _batches(entries, _BATCH_ROWS):
                columns = [pa.array(c, f.type) for c, f in zip(zip(*batch, strict=True), _LISTING, strict=True)]
                writer.write_table(pa.Table.from_arrays(columns, schema=_LISTING))
                self.listed += len(batch)
                yield self.listed
        if self._reusable:
            # zip members share the time stamp of their zip file: the zip file decides for all its rows. A file that
            # could not be reached is tried again each time.
            self._connection.execute(
                f"CREATE TABLE unchanged AS SELECT DISTINCT f.path FROM {self._read(self.before.files)} AS f "
                f"JOIN {self._local('listing.parquet')} AS l USING (path, size_bytes, modified) "
                "WHERE f.member = '' AND l.problem IS NULL AND coalesce(f.reason_code, '') <> ?",
                [ReasonCode.FILE_UNREADABLE.value],
            )
        else:
            self._connection.execute("CREATE TABLE unchanged (path VARCHAR)")

    @property
    def _reusable(self) -> bool:
        before = self.before
        return bool(before.files) and (before.archive, before.reader) == (self.archive, self.reader)

    def unchanged_count(self) -> int:
        """Files of the listing whose rows are taken over from the index before."""
        return int(self._connection.execute("SELECT count(*) FROM unchanged").fetchone()[0])

    def changed(self) -> Iterator[tuple[str, int, str, str | None]]:
        """Listing entries that must be read, by path."""
        reader = (
            self._connection.cursor()
            .execute(f"SELECT * FROM {self._local('listing.parquet')} ANTI JOIN unchanged USING (path) ORDER BY path")
            .to_arrow_reader(_BATCH_ROWS)
        )
        for batch in reader:
            columns = [c.to_pylist() for c in batch.columns]
            yield from zip(*columns, strict=True)

    def add_files(self, table: pa.Table) -> None:
        """Adds FILES rows that were read."""
        self._write("read", FILES, table)

    def studies(self) -> Iterator[list[list[Row]]]:
        """FILES rows of instances, study by study: a list of series, each a list of rows. Call after the last
        `add_files`; the FILES rows are sorted and written on the way."""
        self._close("read")
        sources = []
        if self._exists("read"):
            sources.append(f"SELECT * FROM {self._local('read-*.parquet')}")
        if self.unchanged_count():
            sources.append(f"SELECT * FROM {self._read(self.before.files)} SEMI JOIN unchanged USING (path)")
        if not sources:
            return
        reader = self._connection.execute(
            f"SELECT * FROM ({' UNION ALL BY NAME '.join(sources)}) "
            f"ORDER BY (file_state = '{FileState.INSTANCE.value}') DESC, coalesce(StudyInstanceUID, ''), "
            "SeriesInstanceUID, path, member"
        ).to_arrow_reader(_BATCH_ROWS)
        study: list[list[Row]] = []
        for batch in reader:
            table = pa.Table.from_batches([batch]).select([c.name for c in FILES.columns]).cast(FILES.arrow_schema)
            self._write("files", FILES, table)
            for row in table.to_pylist():
                if row["file_state"] != FileState.INSTANCE.value:
                    continue
                if study and (study[0][0]["StudyInstanceUID"] or "") != (row["StudyInstanceUID"] or ""):
                    yield study
                    study = []
                if study and study[-1][0]["SeriesInstanceUID"] == row["SeriesInstanceUID"]:
                    study[-1].append(row)
                else:
                    study.append([row])
        if study:
            yield study
        self._close("files")

    def add_series(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Adds MANIFEST rows."""
        self._write("series", MANIFEST, MANIFEST.to_arrow(rows))

    def count_states(self) -> dict[tuple[str, str | None], int]:
        """Files by (file_state, reason_code), after `studies` is exhausted."""
        if not self._exists("files"):
            return {}
        rows = self._connection.execute(
            f"SELECT file_state, reason_code, count(*) FROM {self._local('files-*.parquet')} GROUP BY ALL"
        ).fetchall()
        return {(state, reason): int(count) for state, reason, count in rows}

    def is_as_before(self) -> bool:
        """Whether this index would hold what the one before holds: nothing was read, nothing went away."""
        if self.before.settings != self.settings or not self._reusable or self.unchanged_count() != self.listed:
            return False
        total = self._connection.execute(
            f"SELECT count(*) FROM {self._read(self.before.files)} WHERE member = ''"
        ).fetchone()[0]
        return int(total) == self.listed

    def publish(self) -> Pointer:
        """Puts the parts into the lake and makes them count. Raises SiteError (StorageFull, LakeError)."""
        for name in list(self._writers):
            self._close(name)
        stamp = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"
        files = self._put("files", stamp, paths.manifest_files_part)
        series = self._put("series", stamp, paths.manifest_series_part)
        latest = read_pointer(self.lake)
        pointer = Pointer(self.archive, self.reader, self.settings, files, series, latest.parts)
        body = {
            "archive": pointer.archive,
            "reader": pointer.reader,
            "settings": pointer.settings,
            "files": pointer.files,
            "series": pointer.series,
            "previous": pointer.previous,
        }
        self.lake.store.write_bytes(paths.MANIFEST_POINTER, json.dumps(body, indent=1).encode())
        self._sweep(latest, pointer)
        return pointer

    def _sweep(self, latest: Pointer, pointer: Pointer) -> None:
        """Removes parts nobody reads any more: two indexes back, or left by an indexer that died a day ago."""
        store = self.lake.store
        wanted = {*pointer.parts, *pointer.previous}
        for folder in (paths.MANIFEST_FILES, paths.MANIFEST_SERIES):
            store.remove_left_overs(folder)
            for info in store.list_files(folder):
                is_superseded = info.path in latest.previous or older_than(info, _ORPHAN_AGE_S)
                if info.path not in wanted and is_superseded:
                    store.remove(info.path)

    def _put(self, name: str, stamp: str, part_name: Any) -> tuple[str, ...]:
        parts = []
        for number, path in enumerate(sorted(self._folder.glob(f"{name}-*.parquet"))):
            target = part_name(f"{stamp}-{number:04d}")
            with path.open("rb") as source, self.lake.store.writing(target) as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
            parts.append(target)
        return tuple(parts)

    def _write(self, name: str, table: Table, rows: pa.Table) -> None:
        writer = self._writers.get(name)
        if writer is None or self._rows_in_part.get(name, 0) >= _PART_ROWS:
            self._close(name)
            number = len(list(self._folder.glob(f"{name}-*.parquet")))
            writer = pq.ParquetWriter(
                self._folder / f"{name}-{number:04d}.parquet",
                with_provenance(table.arrow_schema),
                compression=COMPRESSION,
            )
            self._writers[name], self._rows_in_part[name] = writer, 0
        writer.write_table(rows.replace_schema_metadata(writer.schema.metadata), row_group_size=_GROUP_ROWS)
        self._rows_in_part[name] += rows.num_rows

    _rows_in_part: dict[str, int] = field(init=False, default_factory=dict)

    def _close(self, name: str) -> None:
        if writer := self._writers.pop(name, None):
            writer.close()

    def _exists(self, name: str) -> bool:
        return any(self._folder.glob(f"{name}-*.parquet"))

    def _local(self, pattern: str) -> str:
        return f"read_parquet({quoted(str(self._folder / pattern))})"

    def _read(self, parts: Sequence[str]) -> str:
        return read_parts(self._connection, self.lake, parts)


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
