"""Rows of a schema table <-> the bytes of a Parquet file, the same rows always giving the same bytes.

Belongs here: encoding, decoding and provenance metadata. Does not belong here: where files lie, which rows there are.
"""

from __future__ import annotations

import hashlib
import io
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vfscreen import __version__
from vfscreen.schema.columns import Table

COMPRESSION = "zstd"


def with_provenance(schema: pa.Schema) -> pa.Schema:
    """The schema with this program's version beside the table's name and version. No times: bytes must not depend
    on when they were written."""
    metadata = dict(schema.metadata or {})
    metadata[b"vfscreen.program_version"] = __version__.encode()
    return schema.with_metadata(metadata)


def encode(table: Table, rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Checked rows, sorted by the table's key, as one Parquet file. ValueError for a row the schema does not allow,
    or for two rows with one key."""
    ordered = sorted(rows, key=lambda row: _key(table, row))
    for before, after in itertools.pairwise(ordered):
        if _key(table, before) == _key(table, after):
            raise ValueError(f"table {table.name}: two rows with the key {[after.get(n) for n in table.key]}")
    arrow = table.to_arrow(ordered)
    sink = io.BytesIO()
    pq.write_table(arrow.replace_schema_metadata(with_provenance(arrow.schema).metadata), sink, compression=COMPRESSION)
    return sink.getvalue()


def decode(data: bytes) -> list[dict[str, Any]]:
    """Rows of a Parquet file."""
    # Files of a shard are small: starting threads would cost more than it saves.
    rows: list[dict[str, Any]] = pq.read_table(pa.BufferReader(data), use_threads=False).to_pylist()
    return rows


def decode_column(data: bytes, name: str) -> list[Any]:
    """One column of a Parquet file."""
    values: list[Any] = pq.read_table(pa.BufferReader(data), columns=[name], use_threads=False).column(0).to_pylist()
    return values


def schema_hash(table: Table) -> str:
    """The same for two versions of a table with the same columns and types, in the same order."""
    return sha256("\n".join(f"{c.name} {c.type}" for c in table.columns).encode())[:16]


def row_count(data: bytes) -> int:
    """Rows of a Parquet file, from its footer."""
    return int(pq.read_metadata(pa.BufferReader(data)).num_rows)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _key(table: Table, row: Mapping[str, Any]) -> tuple[Any, ...]:
    # A null key is refused by the schema a moment later; here it only must not break the sort.
    return tuple((row.get(name) is not None, row.get(name)) for name in table.key)
