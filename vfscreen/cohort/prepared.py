"""Tables prepared for queries: the views of a lake that named queries read, worked out once after a sweep and kept.

Belongs here: making them, finding those that belong to the lake as it is now, reading them. Does not belong here: what
they hold (`lake/views/*.sql`: the same files define both, so answers do not depend on whether a lake is prepared).

A large lake has thousands of shard files and a history of releases; which rows count takes seconds to tell, and a query
needs a few narrow columns. Prepared tables are a cache: named by a digest of the index, the receipts and the views they
were made from, complete when their last file is there, never read for another state of the lake, and removed when
superseded.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import duckdb

from vfscreen.errors import LakeError
from vfscreen.lake import paths
from vfscreen.lake.atomic import older_than
from vfscreen.lake.store import SHARD_TABLES, Lake
from vfscreen.lake.tables import COMPRESSION, schema_hash
from vfscreen.lake.views import VIEWS, connect, open_connection, sql_files, view_of_parquet
from vfscreen.schema.tables import MANIFEST

TABLES = ("exams", "exam_vertebrae", "exam_findings", "exam_series", "ledger", "file_ledger", "film_ledger", "runs")
"""Views that are prepared; every named query but those marked `full` (cohort.queries) needs no other."""

_KEEP_S = 86_400.0
_ROW_GROUP = 250_000


def prepare(lake: Lake, model_release: str | None = None) -> str:
    """Make the prepared tables of the lake as it is now, if they are not there; returns their digest.

    Removes superseded ones after a day (readers may still be at them). Raises SiteError (lake damaged, storage full).
    """
    name = _digest(lake, model_release)
    if _is_whole(lake, name):
        return name
    with tempfile.TemporaryDirectory(prefix="vfscreen-prepare-") as folder, connect(lake, model_release) as connection:
        connection.execute(f"SET temp_directory = '{folder}/spill'")
        connection.execute("SET preserve_insertion_order = false")
        _work_out(connection, Path(folder))
        for table in TABLES:
            with Path(folder, f"{table}.parquet").open("rb") as source, lake.store.writing(_part(name, table)) as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
    done = {"tables": TABLES, "model_release": model_release}
    lake.store.write_bytes(_done(name), json.dumps(done).encode())
    _tidy(lake, name)
    return name


def _work_out(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Every table as a Parquet file of `folder`; each view is worked out once, and those after it read its file."""
    for table in _NUMBERED:
        _swap(connection, table, f"FROM {table}", folder / f"{table}-raw.parquet")
    connection.execute(_NUMBERS)
    if (shared := connection.execute("SELECT count(*) - count(DISTINCT exam_id) FROM exams").fetchone()) != (0,):
        raise LakeError(f"{shared} exams share a hash with another: please report it")
    for table in _NUMBERED:
        # small numbers are read and joined several times faster than hashes
        columns = "SELECT n.number AS exam_id, t.* EXCLUDE (exam_id)"
        select = f"{columns} FROM {table} AS t JOIN numbers AS n USING (exam_id)"
        _swap(connection, table, select, folder / f"{table}.parquet")
    for table in TABLES:
        if table not in _NUMBERED:
            _swap(connection, table, f"FROM {table}", folder / f"{table}.parquet")


def _swap(connection: duckdb.DuckDBPyConnection, table: str, select: str, file: Path) -> None:
    """Write `select` to `file`, and let the view `table` read it from now on."""
    how = f"FORMAT parquet, COMPRESSION {COMPRESSION}, ROW_GROUP_SIZE {_ROW_GROUP}"
    connection.execute(f"COPY ({select}) TO '{file}' ({how})")
    connection.execute(f"CREATE OR REPLACE VIEW {table} AS FROM read_parquet('{file}')")


_NUMBERED = ("exams", "exam_series", "exam_vertebrae")
_NUMBERS = """
CREATE TEMP TABLE numbers AS
SELECT exam_id, (row_number() OVER (ORDER BY screened DESC) - 1)::INTEGER AS number
FROM (
    SELECT exam_id, true AS screened FROM exams
    UNION ALL
    SELECT DISTINCT exam_id, false FROM exam_series ANTI JOIN exams USING (exam_id)
)
"""
"""Of every study, those with a screened series first."""


def connect_prepared(lake: Lake, model_release: str | None = None) -> duckdb.DuckDBPyConnection | None:
    """A connection with the views of TABLES over the prepared tables, or None where the lake has none for its state."""
    name = _digest(lake, model_release)
    if not _is_whole(lake, name):
        return None
    connection = open_connection(lake)
    for table in TABLES:
        connection.execute(view_of_parquet(lake, table, _part(name, table)))
    return connection


def _digest(lake: Lake, model_release: str | None) -> str:
    """Changes with anything the tables depend on. Receipts are told apart by name, size and time: they are not read."""
    digest = hashlib.sha256(f"{duckdb.__version__}|{model_release}".encode())
    try:
        digest.update(lake.store.read_bytes(paths.MANIFEST_POINTER))
    except FileNotFoundError:
        digest.update(b"no index")
    for folder in (paths.RECEIPTS, paths.RUNS):
        for info in lake.store.list_files(folder):
            digest.update(f"|{info.path}|{info.size}|{info.modified}".encode())
    for table in (MANIFEST, *(table for table, _ in SHARD_TABLES)):
        digest.update(schema_hash(table).encode())
    for view, text in sql_files(*VIEWS):
        digest.update(f"|{view}|{text}".encode())
    return digest.hexdigest()[:20]


def _part(name: str, table: str) -> str:
    return f"{paths.PREPARED}/{name}-{table}.parquet"


def _done(name: str) -> str:
    return f"{paths.PREPARED}/{name}.json"


def _is_whole(lake: Lake, name: str) -> bool:
    return lake.store.exists(_done(name))


def _tidy(lake: Lake, name: str) -> None:
    lake.store.remove_left_overs(paths.PREPARED)
    for info in lake.store.list_files(paths.PREPARED):
        if not info.path.startswith(f"{paths.PREPARED}/{name}") and older_than(info, _KEEP_S):
            lake.store.remove(info.path)
