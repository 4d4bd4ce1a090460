"""One series from a path, without an archive or a lake: a DICOM folder or file, or a NIfTI file.

Belongs here: the short way from a path to a volume and what its header says, for `vfscreen screen`. Does not belong
here: screening it, and any rule of its own: a folder goes through the same scan, acceptance and selection as an
archive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from vfscreen.errors import Failed, FileState, ReasonCode, Rejected, Stage
from vfscreen.geometry.volume import Volume
from vfscreen.ingest.decode import read_volume
from vfscreen.ingest.nifti import read_nifti
from vfscreen.ingest.scan import file_rows
from vfscreen.ingest.select import select_in_study
from vfscreen.ingest.series import describe_series
from vfscreen.ingest.sources import Archive, Entry
from vfscreen.schema.tables import FILES, MANIFEST
from vfscreen.settings import Settings

_NIFTI_SUFFIXES = (".nii", ".nii.gz")


@dataclass(frozen=True, eq=False)
class SingleSeries:
    """volume: in LPS mm. header: every column of MANIFEST by name; null where the source does not tell (a NIfTI file
    has geometry only). Pseudonyms are always null: without a lake there is no key."""

    volume: Volume
    header: dict[str, Any]


def read_single(path: Path | str, settings: Settings | None = None) -> SingleSeries:
    """The one series at `path`: a NIfTI file, a DICOM file (multi-frame), or a folder, whose best CT series is taken.

    Raises Rejected with the reason of the largest series where none is acceptable, Failed for files that cannot be
    read or decoded, and where `path` does not exist.
    """
    path, settings = Path(path), settings or Settings()
    if not path.exists():
        raise Failed(Stage.SCAN, ReasonCode.FILE_UNREADABLE, f"{path} does not exist")
    if path.name.lower().endswith(_NIFTI_SUFFIXES) and path.is_file():
        volume = read_nifti(path)
        return SingleSeries(volume, dict.fromkeys(MANIFEST.by_name) | _nifti_header(volume))
    if path.is_file():
        archive, entries = Archive(str(path.absolute().parent)), [_entry(path)]
    else:
        archive = Archive(str(path))
        entries = list(archive.list())
    files = [row for entry in entries for row in file_rows(archive, entry, None)]
    series = _series([r for r in files if r["file_state"] == FileState.INSTANCE], files)
    described = [(describe_series(rows, settings.accept), rows) for rows in series]
    winners = {
        (row["StudyInstanceUID"], row["SeriesInstanceUID"])
        for _, study in groupby((row for row, _ in described), key=lambda r: r["StudyInstanceUID"])
        for row in select_in_study(list(study), settings.select)
        if row["selected"]
    }
    chosen = [(row, rows) for row, rows in described if (row["StudyInstanceUID"], row["SeriesInstanceUID"]) in winners]
    if not chosen:
        row = max((row for row, _ in described), key=lambda r: (r["instance_count"], r["SeriesInstanceUID"]))
        raise Rejected(
            Stage(row["stage"]), ReasonCode(row["reason_code"]), f"series {row['SeriesInstanceUID']}: {row['message']}"
        )
    row, rows = max(chosen, key=lambda c: (c[0]["coverage_mm"], c[0]["slice_count"], c[0]["SeriesInstanceUID"]))
    return SingleSeries(read_volume(archive.url, rows), dict.fromkeys(MANIFEST.by_name) | row)


def _series(instances: Sequence[dict[str, Any]], files: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Instances by study and series. Raises Failed where there are none, with what the files are instead."""
    if not instances:
        states = Counter(str(r.get("reason_code") or r["file_state"]) for r in files)
        unreadable = next((r for r in files if r["file_state"] == FileState.UNREADABLE), None)
        reason = ReasonCode(unreadable["reason_code"]) if unreadable else ReasonCode.NOT_DICOM
        found = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "no file"
        raise Failed(Stage.SCAN, reason, f"no DICOM instance here: {found}")
    complete = [dict.fromkeys(FILES.by_name) | row for row in instances]

    def key(row: dict[str, Any]) -> tuple[str, str]:
        return row["StudyInstanceUID"] or "", row["SeriesInstanceUID"]

    return [list(rows) for _, rows in groupby(sorted(complete, key=key), key=key)]


def _entry(path: Path) -> Entry:
    info = path.stat()
    return Entry(path.name, info.st_size, str(info.st_mtime_ns))


def _nifti_header(volume: Volume) -> dict[str, Any]:
    low, high = volume.bounds_lps_mm
    columns, rows, slices = volume.shape_ijk
    column_spacing, row_spacing, slice_spacing = volume.spacing_mm
    direction = volume.affine_lps[:3, 2] / np.linalg.norm(volume.affine_lps[:3, 2])
    names = ("sagittal", "coronal", "axial")
    return {
        "slice_count": slices,
        "Rows": rows,
        "Columns": columns,
        "row_spacing_mm": row_spacing,
        "column_spacing_mm": column_spacing,
        "slice_spacing_mm": slice_spacing,
        "coverage_mm": slices * slice_spacing,
        "inferior_mm": float(low[2]),
        "superior_mm": float(high[2]),
        "orientation": names[int(np.abs(direction).argmax())],
    }
