"""Where things lie inside a lake: every path relative to its root, '/' separated.

Belongs here: names of files and folders, and the layout's version. Does not belong here: reading or writing them
(`lake.atomic`, `lake.store`), nor what the index writes into its pointer file (`lake.manifest_writer`).

    lake.json                                   layout version; its presence makes a folder a lake
    manifest/CURRENT.json                       names the part files of the index that counts; replaced atomically
    manifest/files/part-<name>.parquet          FILES rows
    manifest/series/part-<name>.parquet         MANIFEST rows
    tables/series/shard-<id>-<hash>.parquet     SERIES rows of one shard, by the start of their content's hash
    tables/vertebrae/shard-<id>-<hash>.parquet  VERTEBRAE rows of one shard
    tables/films/shard-<id>-<hash>.parquet      FILMS rows of one shard; none where it has no radiograph
    receipts/shard-<id>.parquet                 one RECEIPTS row: the shard landed whole; only files it names count
    runs/<run_id>.parquet                       one RUNS row
    overlays/...                                pictures
    prepared/<digest>-<table>.parquet           a cache for queries, made by vfscreen.cohort.prepared
"""

from __future__ import annotations

import re

LAYOUT_VERSION = 1

LAKE_FILE = "lake.json"
MANIFEST_POINTER = "manifest/CURRENT.json"
MANIFEST_FILES = "manifest/files"
MANIFEST_SERIES = "manifest/series"
SERIES = "tables/series"
VERTEBRAE = "tables/vertebrae"
FILMS = "tables/films"
SHARD_FOLDERS = (SERIES, VERTEBRAE, FILMS)
RECEIPTS = "receipts"
RUNS = "runs"
OVERLAYS = "overlays"
PREPARED = "prepared"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def safe_name(name: str) -> str:
    """`name`, if it can be a part of a file name on every file system and in S3; ValueError where it cannot."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be part of a file name: use up to 128 letters, digits, '.', '_' and '-'")
    return name


def manifest_files_part(name: str) -> str:
    """A part file of FILES rows. A name is never used for two contents: take a new one for each index."""
    return f"{MANIFEST_FILES}/part-{safe_name(name)}.parquet"


def manifest_series_part(name: str) -> str:
    """A part file of MANIFEST rows; names as for `manifest_files_part`."""
    return f"{MANIFEST_SERIES}/part-{safe_name(name)}.parquet"


def series_file(shard_id: str, sha256: str) -> str:
    """A shard's SERIES rows. The content's hash is in the name, so two writers never overwrite each other."""
    return f"{SERIES}/shard-{safe_name(shard_id)}-{sha256[:16]}.parquet"


def vertebrae_file(shard_id: str, sha256: str) -> str:
    """A shard's VERTEBRAE rows, named like `series_file`."""
    return f"{VERTEBRAE}/shard-{safe_name(shard_id)}-{sha256[:16]}.parquet"


def films_file(shard_id: str, sha256: str) -> str:
    """A shard's FILMS rows, named like `series_file`."""
    return f"{FILMS}/shard-{safe_name(shard_id)}-{sha256[:16]}.parquet"


def receipt_file(shard_id: str) -> str:
    return f"{RECEIPTS}/shard-{safe_name(shard_id)}.parquet"


def run_file(run_id: str) -> str:
    return f"{RUNS}/{safe_name(run_id)}.parquet"
