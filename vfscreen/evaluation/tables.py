"""Rows of an evaluation as the bytes of a Parquet file.

Belongs here: encoding. Does not belong here: which tables there are (study), where files lie (report.evaluation).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]


def parquet_bytes(rows: Sequence[Row]) -> bytes:
    """One file with a column for every name that occurs; types follow from the values, a column of nulls is text."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    arrays = []
    for name in names:
        array = pa.array([row.get(name) for row in rows])
        arrays.append(array.cast(pa.string()) if pa.types.is_null(array.type) else array)
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, names=names), sink, compression="zstd")
    return sink.getvalue()
