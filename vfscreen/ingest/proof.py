"""The proof that a file which is read is still the instance that was indexed.

Belongs here: size, modification, identity and matrix against the FILES row. Does not belong here: reading pixels
(`pixels`), volumes (`decode`), films (`film`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vfscreen.errors import Failed, ReasonCode, Stage
from vfscreen.ingest.pixels import PixelFile, parse
from vfscreen.ingest.sources import ByteSource, LocalFile


def proven(source: ByteSource, row: Mapping[str, Any], shape: tuple[int, ...]) -> PixelFile:
    """The parsed file, if it is the instance of the FILES row `row`, of `shape` (Rows, Columns).

    Raises Failed (read) where it is not, or is damaged; OSError where its bytes cannot be had.
    """
    if source.size != row["size_bytes"]:
        raise _changed(row, f"{source.size} bytes where the index has {row['size_bytes']}")
    if isinstance(source, LocalFile) and str(source.modified_ns) != row["modified"]:
        raise _changed(row, "modified since")
    file = parse(source)
    if file.SOPInstanceUID != (row["SOPInstanceUID"] or ""):
        raise _changed(row, f"instance {file.SOPInstanceUID} where the index has {row['SOPInstanceUID']}")
    if (file.format.rows, file.format.columns) != shape:
        raise _changed(row, f"{file.format.rows} x {file.format.columns} pixels where the index has {shape}")
    return file


def _changed(row: Mapping[str, Any], what: str) -> Failed:
    return Failed(Stage.READ, ReasonCode.INPUT_CHANGED, f"{row['path']}: {what}; index the archive again")
