"""A lake of drawn rows, of any size, landed as a sweep lands it: seeded, synthetic, nobody in it exists.

Belongs here: landing rows as a sweep does (schema's Arrow types; a series file, a vertebrae file and a receipt a shard;
an index in parts). A shard in twenty is screened again by a newer release. Does not belong here: what the rows are like
(`cohort_rows`), timing (`cohort_queries`).

What it is not like: one file row a series stands for the hundreds of instances of a real one.
"""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.cohort_rows import as_declared, draw_exams, shard_rows
from vfscreen.lake import paths
from vfscreen.lake.store import Lake
from vfscreen.lake.tables import COMPRESSION, encode, schema_hash, sha256, with_provenance
from vfscreen.schema.columns import Table
from vfscreen.schema.tables import FILES, MANIFEST, RECEIPTS, SERIES, VERTEBRAE

_RELEASES = ("bench-1", "bench-2")
_NEWER_EVERY = 20
_BEGAN = datetime(2025, 1, 1, tzinfo=UTC)


def write_lake(url: str | Path, vertebrae: int, shard_studies: int, seed: int) -> dict[str, int]:
    """Write a lake of about `vertebrae` current rows; returns what is in it. Memory: a shard, and the index."""
    rng = np.random.default_rng(seed)
    lake = Lake.create(url)
    exams = draw_exams(rng, max(1, round(vertebrae / 13.68)))
    count = len(exams.patient)
    totals = {"exams": count, "shards": 0, "series": 0, "vertebrae": 0}
    manifest = []
    for number, start in enumerate(range(0, count, shard_studies)):
        index = np.arange(start, min(start + shard_studies, count))
        headers, columns = shard_rows(rng, exams, index)
        manifest.append(headers)
        for turn, release in enumerate(_RELEASES if number % _NEWER_EVERY == 0 else _RELEASES[:1]):
            _land(
                lake, f"{number:06d}-{turn}", release, headers, columns, _BEGAN + timedelta(hours=turn, seconds=number)
            )
            totals["shards"] += 1
        totals["series"] += headers.num_rows
        totals["vertebrae"] += columns.num_rows
    _index(lake, pa.concat_tables(manifest))
    return totals


def _land(lake: Lake, shard: str, release: str, series: pa.Table, vertebrae: pa.Table, when: datetime) -> None:
    common = {"shard_id": shard, "run_id": "bench", "model_release": release}
    receipt: dict[str, Any] = {**common, "finished_at": when, "failed_count": 0}
    states = series.column("state").to_pylist()
    receipt |= {f"{s}_count": states.count(s) for s in ("screened", "rejected")}
    for table, rows, name in ((SERIES, series, "series"), (VERTEBRAE, vertebrae, "vertebrae")):
        for key, value in common.items():
            position = rows.schema.get_field_index(key)
            rows = rows.set_column(
                position, rows.schema.field(position), pa.array([value] * rows.num_rows, pa.string())
            )
        data = _bytes(table, rows)
        digest = sha256(data)
        path = (paths.series_file if name == "series" else paths.vertebrae_file)(shard, digest)
        _put(lake, path, data)
        receipt |= {f"{name}_path": path, f"{name}_sha256": digest, f"{name}_schema": schema_hash(table)}
        receipt["series_count" if name == "series" else "vertebra_count"] = rows.num_rows
    _put(lake, paths.receipt_file(shard), encode(RECEIPTS, [receipt]))


def _put(lake: Lake, path: str, data: bytes) -> None:
    """Without the lake's own fsync a file, which is most of what writing thousands of small ones costs."""
    target = Path(lake.store.full(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


def _bytes(table: Table, rows: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(
        rows.replace_schema_metadata(with_provenance(table.arrow_schema).metadata), sink, compression=COMPRESSION
    )
    return sink.getvalue()


def _index(lake: Lake, series: pa.Table) -> None:
    """MANIFEST and FILES parts and the pointer, as `lake.manifest.IndexWriter` lays them out."""
    n = series.num_rows
    shared = {c.name: series.column(c.name).combine_chunks() for c in MANIFEST.columns if c.name in series.column_names}
    chosen = np.array([s == "screened" for s in series.column("state").to_pylist()])
    manifest = as_declared(MANIFEST, {**shared, "instance_count": np.ones(n, int), "selected": chosen}, n)
    files = as_declared(
        FILES,
        {
            **{
                c.name: shared[c.name]
                for c in FILES.columns
                if c.name in shared and c.name not in ("reason_code", "message")
            },
            "path": [f"{i}.dcm" for i in range(n)],
            "size_bytes": np.full(n, 526_000),
            "modified": ["1"] * n,
            "file_state": ["instance"] * n,
        },
        n,
    )
    pointer = {"archive": "synthetic", "files": [], "series": []}
    for table, rows, key, name in ((FILES, files, "files", paths.manifest_files_part),
                                   (MANIFEST, manifest, "series", paths.manifest_series_part)):  # fmt: skip
        path = name("0")
        target = Path(lake.store.full(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        schema = with_provenance(table.arrow_schema)
        pq.write_table(
            rows.replace_schema_metadata(schema.metadata), target, compression=COMPRESSION, row_group_size=20_000
        )
        pointer[key] = [path]
    lake.store.write_bytes(paths.MANIFEST_POINTER, json.dumps(pointer).encode())
