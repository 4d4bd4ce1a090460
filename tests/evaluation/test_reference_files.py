"""Readers' files: what is read, and that nothing wrong passes silently."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.evaluation.readings import reading, write_csv
from vfscreen.audit.reread import REFERENCE_SCHEMA
from vfscreen.evaluation.reference_files import (
    ReferenceStandardError,
    load_readings,
    load_series_map,
)
from vfscreen.schema.names import KEYPOINTS
from vfscreen.schema.readings import READINGS, REQUIRED

HEIGHTS = {"anterior_height_mm": 20.5, "middle_height_mm": 21.0, "posterior_height_mm": 22.25, "hu": 140.0}


def rows_of(*paths: Any, **options: Any) -> list[dict[str, Any]]:
    return [row for f in load_readings([str(p) for p in paths], **options) for row in f.rows]


def six_points(path: Path, **values: Any) -> Path:
    """A reading of T12 whose anterior height is 18 of 24 mm: a loss of exactly a quarter."""
    vertebra = {"level": "T12", "confidence": 0.9}
    for name in KEYPOINTS:
        part, end = name.split("_")
        half = 9.0 if part == "anterior" else 12.0
        x = {"anterior": -15.0, "middle": 0.0, "posterior": 15.0}[part]
        vertebra[name] = [0.0, x, half if end == "superior" else -half]
    file = {
        "volume": "v",
        "annotator": "A. Reader",
        "centreline_lps_mm": [[0, 0, 1], [0, 0, -1]],
        "vertebrae": [vertebra],
    }
    path.write_text(json.dumps(file | values), encoding="utf-8")
    return path


def test_csv_and_parquet_hold_the_same_readings(tmp_path: Path) -> None:
    rows = [
        reading(1, "T12", 2, SeriesInstanceUID="1.2.3", deformity_type="wedge", **HEIGHTS),
        reading(1, "L1", None, comment="motion, again"),
    ]
    csv = rows_of(write_csv(tmp_path / "a.csv", rows))
    pq.write_table(READINGS.to_arrow(rows), tmp_path / "a.parquet")
    parquet = rows_of(tmp_path / "a.parquet")
    for a, b, wanted in zip(csv, parquet, rows, strict=True):
        assert {k: v for k, v in a.items() if v is not None} == {k: v for k, v in b.items() if v is not None}
        assert {k: v for k, v in a.items() if v is not None} == {k: v for k, v in wanted.items() if v is not None}


def test_a_folder_is_read_whole_and_hashes_say_which_files(tmp_path: Path) -> None:
    write_csv(tmp_path / "b.csv", [reading(1, "T12", 0)])
    write_csv(tmp_path / "a.csv", [reading(2, "T12", 1)])
    (tmp_path / "notes.txt").write_text("no readings")
    files = load_readings([str(tmp_path)])
    assert [Path(f.url).name for f in files] == ["a.csv", "b.csv"]
    assert len({f.sha256 for f in files}) == 2


def test_further_columns_are_named_not_lost_silently(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [reading(1, "T12", 0, ward="B3")])
    assert load_readings([path])[0].ignored == ("ward",)


def test_points_in_a_csv(tmp_path: Path) -> None:
    points = {f"{name}_lps_mm": [1.0, 2.5, float(i)] for i, name in enumerate(KEYPOINTS)}
    (row,) = rows_of(write_csv(tmp_path / "a.csv", [reading(1, "T12", 0, **points)]))
    assert row["posterior_inferior_lps_mm"] == [1.0, 2.5, 5.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sq_grade_reader": 4}, r"reading 1: sq_grade_reader is 4, above 3"),
        ({"sq_grade_reader": "two"}, r"line 2: sq_grade_reader is 'two', not a whole number"),
        ({"vertebra_level": "T14"}, "vertebra_level is 'T14'"),
        ({"vertebra_level": None}, "which body is meant"),
        ({"reader": ""}, "reader is null"),
        ({"hu": "nan"}, "hu is nan"),
        ({"anterior_height_mm": "-3"}, "below 0"),
        ({"deformity_type": "squashed"}, "deformity_type"),
        ({"anterior_superior_lps_mm": [1.0, 2.0, 3.0]}, "all six points or none"),
        ({"anterior_superior_lps_mm": "1;2"}, "three numbers"),
    ],
)
def test_a_wrong_cell_is_named_with_its_place(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = write_csv(tmp_path / "a.csv", [reading(1, "T12", 0) | change])
    with pytest.raises(ReferenceStandardError, match=message):
        load_readings([path])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "StudyInstanceUID,reader\n1,r\n", "vertebra_level, sq_grade_reader"),
        ("a.csv", "StudyInstanceUID,reader,vertebra_level,sq_grade_reader\n1,r,T12\n", "line 2: not as many cells"),
        ("a.csv", "\xff\xfe", "lacks the column"),
        ("a.parquet", "no parquet", "not a Parquet file"),
        ("a_six_points.json", "{", "not a six-point reading"),
        ("a.xlsx", "", "readings come as"),
    ],
)
def test_a_wrong_file_is_named_with_the_remedy(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ReferenceStandardError, match=message):
        load_readings([str(tmp_path / name)])


def test_no_file_and_no_reading_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ReferenceStandardError, match="cannot be read"):
        load_readings([str(tmp_path / "absent.csv")])
    with pytest.raises(ReferenceStandardError, match="no reading"):
        load_readings([str(tmp_path)])


def test_a_column_of_another_type_in_parquet(tmp_path: Path) -> None:
    table = pa.table(
        {"StudyInstanceUID": ["1"], "reader": ["r"], "vertebra_level": ["L1"], "sq_grade_reader": ["mild"]}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(ReferenceStandardError, match="another type"):
        load_readings([str(tmp_path / "a.parquet")])


def test_six_points_become_heights_and_a_grade_that_says_what_it_rests_on(tmp_path: Path) -> None:
    path = six_points(tmp_path / "v_six_points.json", StudyInstanceUID="1.9", SeriesInstanceUID="1.9.1")
    (row,) = rows_of(path)
    assert (row["StudyInstanceUID"], row["SeriesInstanceUID"], row["reader"]) == ("1.9", "1.9.1", "A. Reader")
    assert (row["anterior_height_mm"], row["posterior_height_mm"]) == (18.0, 24.0)
    assert (row["sq_grade_reader"], row["grade_basis"]) == (2, "six_points")  # the border of 25 % is grade 2


def test_a_published_grade_goes_before_one_from_points(tmp_path: Path) -> None:
    path = six_points(tmp_path / "v_six_points.json", StudyInstanceUID="1.9")
    file = json.loads(path.read_text())
    file["vertebrae"][0]["published_genant_grade"] = 1
    path.write_text(json.dumps(file))
    assert [(r["sq_grade_reader"], r["grade_basis"]) for r in rows_of(path)] == [(1, "semiquantitative")]


def test_a_neck_has_no_grade(tmp_path: Path) -> None:
    path = six_points(tmp_path / "v_six_points.json", StudyInstanceUID="1.9")
    path.write_text(path.read_text().replace('"T12"', '"C5"'))
    assert rows_of(path)[0]["sq_grade_reader"] is None


def test_a_series_map_says_what_the_file_does_not(tmp_path: Path) -> None:
    path = six_points(tmp_path / "v_six_points.json")
    with pytest.raises(ReferenceStandardError, match="series map with a line for 'v'"):
        load_readings([str(path)])
    (tmp_path / "map.csv").write_text("volume,StudyInstanceUID,SeriesInstanceUID\nv,1.5,1.5.1\nw,1.6,\n")
    known = load_series_map(str(tmp_path / "map.csv"))
    assert known == {"v": ("1.5", "1.5.1"), "w": ("1.6", None)}
    assert rows_of(path, series_map=known)[0]["SeriesInstanceUID"] == "1.5.1"
    (tmp_path / "wrong.csv").write_text("name\nv\n")
    with pytest.raises(ReferenceStandardError, match="series map"):
        load_series_map(str(tmp_path / "wrong.csv"))


def test_the_shared_readings_are_read(shared_data: Path) -> None:
    paths = sorted((shared_data / "ct").glob("*_six_points.json"))
    names = {json.loads(p.read_text())["volume"]: (p.stem, None) for p in paths}
    rows = rows_of(*paths, series_map=names)
    assert len(rows) > 60
    assert all(r["grade_basis"] == "six_points" for r in rows)
    assert np.median([r["anterior_height_mm"] for r in rows]) > 15


def test_the_sheets_an_audit_brings_back_are_such_tables() -> None:
    """The two sides of the contract: what `vfscreen.audit.reread` writes is what is read here, type by type."""
    for field in REFERENCE_SCHEMA:
        if field.name != "not_evaluable_reason":  # the reason behind an empty grade; the grade says enough here
            assert READINGS.by_name[field.name].type == field.type, field.name
    assert set(REQUIRED) <= set(REFERENCE_SCHEMA.names)
