"""Every column of every table, declared once.

The Arrow schemas, the checks at the write, the DuckDB views and docs/data-dictionary.md follow from here.
Belongs here: which tables there are, and those about the sweeps themselves; the others by family in `index_tables` and
`result_tables`. Does not belong here: how a value is computed.
"""

from __future__ import annotations

from vfscreen.schema.columns import Column, Table
from vfscreen.schema.index_tables import FILES, MANIFEST
from vfscreen.schema.result_tables import FILMS, SERIES, VERTEBRAE
from vfscreen.schema.shared_columns import (
    HEADER_COLUMNS,
    I4,
    RELEASE,
    RUN,
    SHARD,
    STR,
    TIME,
)

__all__ = ["FILES", "FILMS", "HEADER_COLUMNS", "MANIFEST", "RECEIPTS", "RUNS", "SERIES", "TABLES", "VERTEBRAE"]

RUNS = Table(
    "runs",
    "a sweep",
    ("run_id",),
    (
        RUN,
        Column("started_at", TIME, "Start.", False),
        Column("finished_at", TIME, "End; null while it runs or where it was killed."),
        Column("archive", STR, "Archive URL.", False),
        RELEASE,
        Column("vfscreen_version", STR, "Version of this program.", False),
        Column("settings_json", STR, "The validated settings, without secrets.", False),
        Column("shards_planned", I4, "Shards this run set out to do.", minimum=0),
        Column("shards_done", I4, "Shards with a receipt at its end.", minimum=0),
        Column("outcome", STR, "How it ended.", values=("completed", "failed", "stopped")),
        Column("message", STR, "Why it failed or stopped."),
    ),
)

RECEIPTS = Table(
    "receipts",
    "a shard that landed whole",
    ("shard_id",),
    (
        SHARD,
        RUN,
        RELEASE,
        Column("finished_at", TIME, "When the receipt was written: after every file it names.", False),
        Column("series_count", I4, "Series of the shard.", False, minimum=0),
        Column("screened_count", I4, "Of them screened.", False, minimum=0),
        Column("rejected_count", I4, "Of them rejected.", False, minimum=0),
        Column("failed_count", I4, "Of them failed.", False, minimum=0),
        Column("vertebra_count", I4, "Rows in the shard's vertebrae file.", False, minimum=0),
        Column("series_path", STR, "The shard's series file inside the lake.", False),
        Column("series_sha256", STR, "Its hash.", False),
        Column("series_schema", STR, "Hash of its columns and types: files that share it are read as one.", False),
        Column("vertebrae_path", STR, "The shard's vertebrae file inside the lake.", False),
        Column("vertebrae_sha256", STR, "Its hash.", False),
        Column("vertebrae_schema", STR, "Hash of its columns and types.", False),
        Column("film_count", I4, "Rows in the shard's films file; null before films were screened.", minimum=0),
        Column("films_path", STR, "The shard's films file inside the lake; null where it has no film."),
        Column("films_sha256", STR, "Its hash."),
        Column("films_schema", STR, "Hash of its columns and types."),
    ),
)

TABLES: tuple[Table, ...] = (FILES, MANIFEST, SERIES, FILMS, VERTEBRAE, RUNS, RECEIPTS)
