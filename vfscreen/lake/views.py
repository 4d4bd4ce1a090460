"""Questions over the whole lake: a DuckDB connection whose views read the lake's files.

Belongs here: which files a reader sees, and the connection. Does not belong here: what the views compute (views/*.sql,
one documented file each), named questions (`vfscreen.cohort`).

A connection is a snapshot: the files it reads are those that the manifest's pointer and the receipts name at the moment
of `connect`; what lands later is not seen, half a shard never is. Nothing is copied into memory but the receipts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import takewhile
from typing import Any

import duckdb
import pyarrow as pa

from vfscreen.errors import LakeError
from vfscreen.lake import paths
from vfscreen.lake.store import SHARD_TABLES, Lake, Row, data_paths
from vfscreen.schema.columns import Table
from vfscreen.schema.tables import FILES, MANIFEST, RECEIPTS, RUNS

VIEWS = ("vfscreen.lake", "views")


@dataclass(frozen=True)
class Snapshot:
    """The files a reader may look at, relative to the lake, and the receipts that cannot be followed.

    receipts: of shards whose files are there. damaged: receipts that name a file which is gone, with that name.
    """

    manifest_files: tuple[str, ...]
    manifest_series: tuple[str, ...]
    receipts: tuple[Row, ...]
    damaged: tuple[tuple[Row, str], ...]
    runs: tuple[str, ...]


def snapshot(lake: Lake, model_release: str | None = None) -> Snapshot:
    """What is in the lake now; of one release only, if it is named."""
    store = lake.store
    try:
        pointer = json.loads(store.read_bytes(paths.MANIFEST_POINTER))
    except FileNotFoundError:
        pointer = {}
    except ValueError as error:
        raise LakeError(f"{paths.MANIFEST_POINTER} of {lake.url} is damaged: run `vfscreen index` again") from error
    # Receipts first: whatever they name was there before them.
    receipts = [r for r in lake.receipts() if model_release in (None, r["model_release"])]
    present = {f.path for folder in paths.SHARD_FOLDERS for f in store.list_files(folder)}
    whole: list[Row] = []
    damaged: list[tuple[Row, str]] = []
    for receipt in receipts:
        gone = [path for path in data_paths(receipt) if path not in present]
        if gone:
            damaged.append((receipt, gone[0]))
        else:
            whole.append(receipt)
    return Snapshot(
        manifest_files=tuple(pointer.get("files", ())),
        manifest_series=tuple(pointer.get("series", ())),
        receipts=tuple(whole),
        damaged=tuple(damaged),
        runs=tuple(f.path for f in store.list_files(paths.RUNS) if f.path.endswith(".parquet")),
    )


def connect(
    lake: Lake,
    model_release: str | None = None,
    *,
    seen: Snapshot | None = None,
    allow_damaged: bool = False,
) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB connection with the views of views/*.sql over `lake`. Works offline, on folders and on s3://.

    model_release: only rows of this release; without it the views choose the newest for each series.
    seen: a snapshot taken before; its release counts then.
    allow_damaged: leave out shards whose files are gone instead of raising LakeError.
    """
    seen = seen or snapshot(lake, model_release)
    if seen.damaged and not allow_damaged:
        receipt, gone = seen.damaged[0]
        raise LakeError(
            f"{len(seen.damaged)} shard(s) of {lake.url} lost files; {gone} of shard {receipt['shard_id']} is gone: "
            "sweep again, which screens their studies again (`vfscreen ledger` lists all)"
        )
    connection = open_connection(lake)
    connection.register("receipts_now", RECEIPTS.to_arrow(seen.receipts))
    connection.execute("CREATE TABLE stored_receipts AS SELECT * FROM receipts_now")
    connection.unregister("receipts_now")
    indexed = ((FILES, seen.manifest_files), (MANIFEST, seen.manifest_series), (RUNS, seen.runs))
    landed = [(table, _by_schema(seen.receipts, table.name, count)) for table, count in SHARD_TABLES]
    views = [(table, _stored(lake, table, [files], same_schema=False)) for table, files in indexed]
    views += [(table, _stored(lake, table, groups, same_schema=True)) for table, groups in landed]
    for table, select in views:
        connection.execute(f"CREATE VIEW stored_{table.name} AS {select}")
    for _, text in sql_files(*VIEWS):
        connection.execute(text)
    return connection


def open_connection(lake: Lake) -> duckdb.DuckDBPyConnection:
    """An in-memory connection that can read the lake's files, without any view."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET parquet_metadata_cache = true")
    if not lake.store.is_local:
        connection.register_filesystem(lake.store.fs)
    return connection


def view_of_parquet(lake: Lake, name: str, path: str) -> str:
    """CREATE VIEW over one Parquet file of the lake."""
    return f"CREATE VIEW {name} AS SELECT * FROM read_parquet({_quoted(lake.store.qualified(path))})"


def sql_files(package: str, folder: str) -> list[tuple[str, str]]:
    """(name without suffix, text) of the .sql files in a package's folder, by name."""
    files = [f for f in (resources.files(package) / folder).iterdir() if f.name.endswith(".sql")]
    return [(f.name.removesuffix(".sql"), f.read_text(encoding="utf-8")) for f in sorted(files, key=lambda f: f.name)]


def describe_views() -> dict[str, str]:
    """What each view is, from the comment at the head of its file."""
    return {name.split("_", 1)[1]: head_comment(sql).split(": ", 1)[1] for name, sql in sql_files(*VIEWS)}


def head_comment(sql: str) -> str:
    """The comment lines at the start of an SQL file, as one paragraph."""
    lines = takewhile(lambda line: line.startswith("--"), sql.splitlines())
    return " ".join(line.removeprefix("--").strip() for line in lines)


def _by_schema(receipts: Iterable[Row], name: str, count_column: str) -> list[list[str]]:
    """Paths of shard files that hold rows, those of one schema together."""
    groups: dict[str, list[str]] = {}
    for receipt in receipts:
        if receipt.get(count_column):  # an older receipt counts no films
            groups.setdefault(receipt[f"{name}_schema"], []).append(receipt[f"{name}_path"])
    return list(groups.values())


def _stored(lake: Lake, table: Table, groups: Iterable[Sequence[str]], same_schema: bool) -> str:
    """SELECT over groups of Parquet files with the declared columns and types, also where there is no file, or an
    older one that lacks a column. same_schema: the files of a group have one schema."""
    empty = ", ".join(f'NULL::{duckdb_type(c.type)} AS "{c.name}"' for c in table.columns)
    lists = [", ".join(_quoted(lake.store.qualified(f)) for f in group) for group in groups]
    # Of files known to have one schema one is opened to learn it; otherwise every file is, for every query.
    option = "" if same_schema else ", union_by_name = true"
    parts = [
        f"SELECT {empty} WHERE false",
        *(f"SELECT * FROM read_parquet([{names}]{option})" for names in lists if names),
    ]
    columns = ", ".join(f'"{c.name}"' for c in table.columns)
    return f"SELECT {columns} FROM ({' UNION ALL BY NAME '.join(parts)})"


def duckdb_type(arrow_type: pa.DataType) -> str:
    """DuckDB's name for a column type; lists of fixed size are plain lists, as Parquet stores them."""
    if pa.types.is_list(arrow_type) or pa.types.is_fixed_size_list(arrow_type):
        return duckdb_type(arrow_type.value_type) + "[]"
    return _DUCKDB_TYPES[arrow_type]


_DUCKDB_TYPES: dict[Any, str] = {
    pa.string(): "VARCHAR",
    pa.float64(): "DOUBLE",
    pa.float32(): "FLOAT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.bool_(): "BOOLEAN",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
