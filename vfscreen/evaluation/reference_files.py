"""Readers' files into rows of the table `readings`: CSV, Parquet and six-point JSON.

Belongs here: formats and checks of single rows. Does not belong here: what several readers add up to (reference), the
columns themselves (schema.readings). A file that cannot be read whole is refused with the place and the remedy: a
reading that is silently left out would change every number after it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from vfscreen.evaluation.metric import EvaluationError
from vfscreen.morphometry.genant import genant_grade, raw_height_loss
from vfscreen.morphometry.heights import body_heights_mm
from vfscreen.schema.names import GRADED_LEVELS, KEYPOINTS
from vfscreen.schema.readings import READINGS, REQUIRED, SEMIQUANTITATIVE, SIX_POINTS
from vfscreen.schema.six_points import SixPointFile, SixPointVertebra

Row = dict[str, Any]
SeriesMap = Mapping[str, tuple[str, str | None]]
"""Name of a six-point file's volume -> (StudyInstanceUID, SeriesInstanceUID)."""

_SUFFIXES = (".csv", ".parquet", "_six_points.json")


class ReferenceStandardError(EvaluationError):
    """The reference standard cannot be used as it is; the message names the place and the remedy."""


@dataclass(frozen=True)
class ReadingsFile:
    """Rows of one file. ignored: columns the table `readings` does not have. sha256: of the file."""

    url: str
    sha256: str
    rows: tuple[Row, ...]
    ignored: tuple[str, ...] = ()


def load_readings(urls: Sequence[str], series_map: SeriesMap | None = None) -> list[ReadingsFile]:
    """Files, or folders of files, in the order of their names; local paths or URLs.

    series_map: which series a six-point file was read on, where the file does not say so itself.
    Raises ReferenceStandardError for what cannot be read, or where there is no file at all.
    """
    found = []
    for url in urls:
        try:
            fs, path = fsspec.core.url_to_fs(url)
            paths = [p for p in sorted(fs.find(path)) if p.endswith(_SUFFIXES)] if fs.isdir(path) else [path]
            found += [_load(p, fs.cat_file(p), series_map or {}) for p in paths]
        except OSError as error:
            raise ReferenceStandardError(f"reference readings {url} cannot be read: {error}") from error
    if not any(f.rows for f in found):
        raise ReferenceStandardError(f"no reading in {', '.join(urls)}: give CSV, Parquet or *_six_points.json files")
    return found


def load_series_map(url: str) -> dict[str, tuple[str, str | None]]:
    """From a CSV with the columns volume, StudyInstanceUID and, where known, SeriesInstanceUID."""
    try:
        with fsspec.open(url, "rt", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        return {r["volume"]: (r["StudyInstanceUID"], r.get("SeriesInstanceUID") or None) for r in rows}
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise ReferenceStandardError(
            f"series map {url} cannot be read ({error}): it needs the columns volume, StudyInstanceUID and "
            "SeriesInstanceUID"
        ) from error


def _load(path: str, data: bytes, series_map: SeriesMap) -> ReadingsFile:
    ignored: tuple[str, ...] = ()
    if path.endswith(".json"):
        rows = _six_point_rows(path, data, series_map)
    elif path.endswith(".parquet"):
        rows, ignored = _parquet_rows(path, data)
    elif path.endswith(".csv"):
        rows, ignored = _csv_rows(path, data)
    else:
        raise ReferenceStandardError(f"{path}: readings come as .csv, .parquet or _six_points.json")
    for number, row in enumerate(rows, start=1):
        _check(f"{path}, reading {number}", row)
    return ReadingsFile(path, hashlib.sha256(data).hexdigest(), tuple(rows), ignored)


def _check(place: str, row: Row) -> None:
    for column in READINGS.columns:
        if problem := column.problem(row.get(column.name)):
            raise ReferenceStandardError(f"{place}: {problem}")
    for name in ("StudyInstanceUID", "reader"):
        if not row[name]:
            raise ReferenceStandardError(f"{place}: {name} is empty")
    points = [row.get(f"{n}_lps_mm") is not None for n in KEYPOINTS]
    if any(points) and not all(points):
        raise ReferenceStandardError(f"{place}: give all six points or none")
    if row.get("vertebra_level") is None and not all(points):
        raise ReferenceStandardError(f"{place}: without vertebra_level or six points nobody knows which body is meant")


def _columns(place: str, names: Sequence[str]) -> tuple[str, ...]:
    """Columns the table does not have. Raises where a required one is missing."""
    if missing := [name for name in REQUIRED if name not in names]:
        raise ReferenceStandardError(f"{place} lacks the column(s) {', '.join(missing)}: see docs/evaluation.md")
    return tuple(name for name in names if name not in READINGS.by_name)


def _parquet_rows(path: str, data: bytes) -> tuple[list[Row], tuple[str, ...]]:
    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise ReferenceStandardError(f"{path} is not a Parquet file: {error}") from error
    ignored = _columns(path, table.column_names)
    try:
        known = table.select([n for n in table.column_names if n not in ignored])
        schema = pa.schema([READINGS.arrow_schema.field(n) for n in known.column_names])
        return known.cast(schema, safe=True).to_pylist(), ignored
    except (pa.ArrowException, ValueError) as error:
        raise ReferenceStandardError(
            f"{path}: a column has another type than docs/evaluation.md says: {error}"
        ) from error


def _csv_rows(path: str, data: bytes) -> tuple[list[Row], tuple[str, ...]]:
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        ignored = _columns(path, reader.fieldnames or ())
        rows = []
        for line, cells in enumerate(reader, start=2):
            if None in cells or None in cells.values():
                raise ReferenceStandardError(f"{path}, line {line}: not as many cells as the header has columns")
            rows.append({n: _cell(f"{path}, line {line}", n, text) for n, text in cells.items() if n not in ignored})
        return rows, ignored
    except (csv.Error, UnicodeDecodeError) as error:
        raise ReferenceStandardError(f"{path} is not a CSV file in UTF-8: {error}") from error


def _cell(place: str, name: str, text: str) -> Any:
    """An empty cell is null; points are three numbers joined by ';'."""
    text = text.strip()
    if not text:
        return None
    kind = READINGS.by_name[name].type
    try:
        if pa.types.is_fixed_size_list(kind):
            x, y, z = (float(part) for part in text.split(";"))
            return [x, y, z]
        if pa.types.is_integer(kind):
            return int(text)
        return float(text) if pa.types.is_floating(kind) else text
    except ValueError as error:
        raise ReferenceStandardError(f"{place}: {name} is {text!r}, not {_wanted(kind)}") from error


def _wanted(kind: pa.DataType) -> str:
    if pa.types.is_fixed_size_list(kind):
        return "three numbers joined by ';'"
    return "a whole number" if pa.types.is_integer(kind) else "a number"


def _six_point_rows(path: str, data: bytes, series_map: SeriesMap) -> list[Row]:
    try:
        file = SixPointFile.model_validate(json.loads(data))
    except (ValueError, ValidationError) as error:
        raise ReferenceStandardError(f"{path} is not a six-point reading: {error}") from error
    study, series = series_map.get(file.volume, (file.StudyInstanceUID, file.SeriesInstanceUID))
    if not study:
        raise ReferenceStandardError(
            f"{path} does not say which study was read: add StudyInstanceUID and SeriesInstanceUID to it, or give a "
            f"series map with a line for {file.volume!r}"
        )
    shared = {"StudyInstanceUID": study, "SeriesInstanceUID": series, "reader": file.annotator or "six-point reader"}
    return [shared | _six_point_row(v) for v in file.vertebrae]


def _six_point_row(vertebra: SixPointVertebra) -> Row:
    """A published grade is the reader's by eye. Without one, the grade is that of the height loss of the reader's own
    points, which `grade_basis` says; a cervical body has none."""
    points = np.array([getattr(vertebra, name) for name in KEYPOINTS], dtype=np.float64)
    heights = body_heights_mm(points)
    grade = vertebra.published_genant_grade
    basis = SEMIQUANTITATIVE if grade is not None else SIX_POINTS
    if grade is None and (vertebra.level is None or vertebra.level in GRADED_LEVELS):
        grade = int(genant_grade(raw_height_loss(heights)))
    return {
        "vertebra_level": vertebra.level,
        "sq_grade_reader": grade,
        "grade_basis": basis,
        "confidence": vertebra.confidence,
        **dict(zip(("anterior_height_mm", "middle_height_mm", "posterior_height_mm"), heights.tolist(), strict=True)),
        **{f"{name}_lps_mm": list(getattr(vertebra, name)) for name in KEYPOINTS},
    }
