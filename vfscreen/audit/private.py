"""Files that only their owner may read, in a folder outside the lake: everything an audit writes.

Report text, blinding keys and reader names never enter a lake, which is shared more widely than they may be.

Belongs here: permissions, atomic replacement, tables as Parquet and CSV. Does not belong here: what is in them.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vfscreen.errors import SettingsError, SiteError

Row = dict[str, Any]

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def private_folder(path: Path, lake_url: str) -> Path:
    """`path`, made if absent, for its owner alone.

    SettingsError where it is a URL (permissions cannot be kept there), lies inside the lake, or exists and can be read
    by others.
    """
    if ":/" in str(path):  # what Path makes of s3://
        raise SettingsError(f"an audit is written to a local folder, which only you can read, not to {path}")
    path = path.expanduser().absolute()
    if "://" not in lake_url or lake_url.startswith("file://"):
        lake = Path(lake_url.removeprefix("file://")).resolve()
        if path.resolve().is_relative_to(lake):
            raise SettingsError(f"{path} lies inside the lake {lake_url}: report text may not; choose another folder")
    try:
        path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise SiteError(f"the folder {path} cannot be made: {error}") from error
    if path.stat().st_mode & 0o077:
        raise SettingsError(f"{path} can be read by others; run chmod 700 on it, or name a new folder")
    return path


def write_private(path: Path, data: bytes) -> str:
    """Put `data` at `path` atomically, readable by its owner only; returns the SHA-256. SiteError where it cannot
    be."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # created with mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SiteError(f"{path} cannot be written: {error}") from error
    return hashlib.sha256(data).hexdigest()


def as_json(value: Mapping[str, Any]) -> bytes:
    """One JSON document; dates in ISO form."""
    return (json.dumps(value, indent=2, default=str, allow_nan=False, ensure_ascii=False) + "\n").encode()


def as_parquet(schema: pa.Schema, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as a Parquet file. The same rows give the same bytes."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), buffer)
    return buffer.getvalue()


def as_csv(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as CSV with a header. Lists are joined by ';', null is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in names])
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return ";".join(map(str, value))
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@"):
        return "'" + value  # a spreadsheet would run it as a formula
    return value
