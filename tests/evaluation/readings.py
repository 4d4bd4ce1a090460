"""Small lakes and readers' files for tests of the evaluation."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.lake.builders import ended, land, manifest_row, put_index, series_uid, study_uid
from vfscreen.lake.store import Lake
from vfscreen.schema.names import LEVELS
from vfscreen.settings_evaluation import EvaluationSettings

Row = dict[str, Any]
FAST = EvaluationSettings(bootstrap_resamples=200, subgroup_patients_min=2)
FROM_T4 = [level for level in LEVELS[LEVELS.index("T4") :] if level not in ("T13", "L6")]


def settings(**values: Any) -> EvaluationSettings:
    return FAST.model_copy(update=values)


def small_lake(folder: Path, losses: Mapping[int, Sequence[float]], **headers: Sequence[Any]) -> Lake:
    """A screened study for each patient, its column starting at T4 with these height losses.

    headers: name of a header -> one value a patient, in the order of `losses`.
    """
    lake = Lake.create(folder)
    manifest = [manifest_row(n, **{name: values[i] for name, values in headers.items()}) for i, n in enumerate(losses)]
    put_index(lake, manifest)
    copied = ("InstitutionName", "Manufacturer", "ManufacturerModelName", "SliceThickness_mm", "ContrastBolusAgent")
    land(
        lake,
        "s",
        [
            ended(m, losses[n], **{name: m[name] for name in copied if name in m})
            for m, n in zip(manifest, losses, strict=True)
        ],
    )
    return lake


def reading(study: int, vertebra: int | str, grade: int | None, reader: str = "r1", **values: Any) -> Row:
    """A reader's grade of a vertebra: its index from T4, or its level."""
    level = vertebra if isinstance(vertebra, str) else FROM_T4[vertebra]
    row = {"StudyInstanceUID": study_uid(study), "reader": reader, "vertebra_level": level, "sq_grade_reader": grade}
    return row | values


def readings_of(grades: Mapping[int, Sequence[int | None]], reader: str = "r1", **values: Any) -> list[Row]:
    """Grades of each study's vertebrae from T4 down."""
    return [reading(study, i, g, reader, **values) for study, column in grades.items() for i, g in enumerate(column)]


def write_csv(path: Path, rows: Iterable[Row]) -> str:
    """A readers' file; null is an empty cell, points are joined by ';'."""
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for row in rows:
            writer.writerow({k: ";".join(map(str, v)) if isinstance(v, list) else v for k, v in row.items()})
    return str(path)


def metric(rows: Iterable[Row], name: str, **place: Any) -> Row:
    """The one row of a table with this name and place; of two intervals the first."""
    found = [r for r in rows if r["name"] == name and all(r[k] == v for k, v in place.items())]
    assert found, (name, place)
    return found[0]


def uid(study: int, series: int = 0) -> str:
    return series_uid(study, series)
