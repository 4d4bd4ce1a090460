"""One series from a path, without an archive or a lake: a DICOM folder or file, a NIfTI file, a picture of a film.

Belongs here: the short way from a path to a volume or to films and what the header says, for `vfscreen screen`. Does
not belong here: screening it, and any rule of its own: a folder goes through the same scan, acceptance and selection as
an archive.
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
from vfscreen.ingest.film import FilmImage, read_films
from vfscreen.ingest.nifti import read_nifti
from vfscreen.ingest.pictures import is_picture, read_picture
from vfscreen.ingest.scan import file_rows
from vfscreen.ingest.select import select_in_study
from vfscreen.ingest.series import describe_series
from vfscreen.ingest.sources import Archive, Entry
from vfscreen.schema.film_columns import FILM_COLUMNS
from vfscreen.schema.tables import FILES, MANIFEST
from vfscreen.settings import Settings

_NIFTI_SUFFIXES = (".nii", ".nii.gz")


@dataclass(frozen=True, eq=False)
class SingleSeries:
    """volume: in LPS mm. header: every column of MANIFEST by name; null where the source does not tell (a NIfTI file
    has geometry only). Pseudonyms are always null: without a lake there is no key."""

    volume: Volume
    header: dict[str, Any]


@dataclass(frozen=True, eq=False)
class SingleFilms:
    """films: of one radiograph series in their order, at least one, read or with their error; a picture is one film.
    header: as in `SingleSeries`."""

    films: tuple[FilmImage, ...]
    header: dict[str, Any]


def read_any(path: Path | str, settings: Settings | None = None) -> SingleSeries | SingleFilms:
    """The one series at `path`, CT or radiographs: what `read_single` reads, a picture (PNG, JPEG, TIFF), a DICOM film,
    or a folder without an acceptable CT series, of which the radiograph series with most films is taken.

    Raises as `read_single`, and as `read_picture` for a picture. Films of a series carry their own errors.
    """
    path, settings = Path(path), settings or Settings()
    if is_picture(path) and path.is_file():
        return _picture(path, settings)
    return _read(path, settings, films_too=True)


def read_single(path: Path | str, settings: Settings | None = None) -> SingleSeries:
    """The one CT series at `path`: a NIfTI file, a DICOM file (multi-frame), or a folder, whose best one is taken.

    Raises Rejected with the reason of the largest series where none is acceptable (modality_not_supported where it is
    one of radiographs), Failed for files that cannot be read or decoded, and where `path` does not exist.
    """
    found = _read(Path(path), settings or Settings(), films_too=False)
    assert isinstance(found, SingleSeries)
    return found


def _read(path: Path, settings: Settings, *, films_too: bool) -> SingleSeries | SingleFilms:
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
    described = [(describe_series(rows, settings.accept, settings.films), rows) for rows in series]
    winners = {
        (row["StudyInstanceUID"], row["SeriesInstanceUID"])
        for _, study in groupby((row for row, _ in described), key=lambda r: r["StudyInstanceUID"])
        for row in select_in_study(list(study), settings.select)
        if row["selected"]
    }
    chosen = [(row, rows) for row, rows in described if (row["StudyInstanceUID"], row["SeriesInstanceUID"]) in winners]
    volumes = [c for c in chosen if c[0].get("film_count") is None]
    films = [c for c in chosen if c[0].get("film_count") is not None]
    empty = dict.fromkeys(MANIFEST.by_name)
    if volumes:
        row, rows = max(volumes, key=lambda c: (c[0]["coverage_mm"], c[0]["slice_count"], c[0]["SeriesInstanceUID"]))
        return SingleSeries(read_volume(archive.url, rows), empty | row)
    if films and films_too:
        row, rows = max(films, key=lambda c: (c[0]["film_count"], c[0]["SeriesInstanceUID"]))
        return SingleFilms(tuple(read_films(archive.url, rows, settings.films)), empty | row)
    row = max((row for row, _ in described), key=lambda r: (r["instance_count"], r["SeriesInstanceUID"]))
    if row["selected"]:
        raise Rejected(
            Stage.ACCEPT, ReasonCode.MODALITY_NOT_SUPPORTED, f"series {row['SeriesInstanceUID']} is one of radiographs"
        )
    raise Rejected(
        Stage(row["stage"]), ReasonCode(row["reason_code"]), f"series {row['SeriesInstanceUID']}: {row['message']}"
    )


def _picture(path: Path, settings: Settings) -> SingleFilms:
    """A picture has a size and no header; its name stands for an identity."""
    radiograph = read_picture(path, settings.films)
    rows, columns = radiograph.shape
    header = {
        **dict.fromkeys(column.name for column in FILM_COLUMNS),
        "Rows": rows,
        "Columns": columns,
        "height_calibrated": False,
    }
    film = FilmImage(path.name, header, radiograph, None)
    return SingleFilms((film,), dict.fromkeys(MANIFEST.by_name) | {"Rows": rows, "Columns": columns, "film_count": 1})


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
