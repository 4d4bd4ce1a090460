"""Vertebrae of readers and lake put together: by level, by position, and what is left over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.readings import FROM_T4, reading, readings_of, small_lake, uid, write_csv
from tests.lake.builders import ended, land, manifest_row, put_index, study_uid
from vfscreen.evaluation.findings import fetch_findings
from vfscreen.evaluation.metric import EvaluationError
from vfscreen.evaluation.pairing import Pairs, pair
from vfscreen.evaluation.reference import build_reference
from vfscreen.evaluation.reference_files import load_readings
from vfscreen.lake.store import Lake
from vfscreen.schema.names import KEYPOINTS


def paired(lake: Lake, folder: Path, rows: list[dict[str, Any]]) -> Pairs:
    reference = build_reference(load_readings([write_csv(folder / "r.csv", rows)]))
    return pair(reference, fetch_findings(lake, reference.studies))


def points_at(z: float, y: float = -20.25) -> dict[str, list[float]]:
    """Six points around a centre of `tests.lake.builders`: x 0.5, y -20.25, z 100 - 30 * index."""
    points = {}
    for name in KEYPOINTS:
        part, end = name.split("_")
        shift = {"anterior": -15.0, "middle": 0.0, "posterior": 15.0}[part]
        points[f"{name}_lps_mm"] = [0.5, y + shift, z + (12.0 if end == "superior" else -12.0)]
    return points


def test_by_level_every_vertebra_finds_its_own_name(tmp_path: Path) -> None:
    lake = small_lake(tmp_path / "lake", {0: (0.1, 0.3), 1: (0.45, 0.0)})
    pairs = paired(lake, tmp_path, readings_of({0: (0, 2), 1: (3, 0)}))
    assert [(p.reference.grade, p.grade, p.matched_by) for p in pairs.vertebrae] == [
        (0, 0, "level"), (2, 2, "level"), (3, 3, "level"), (0, 0, "level")
    ]  # fmt: skip
    assert pairs.extra == ()
    assert [(p.patient_key, p.reference_grade, p.grade) for p in pairs.patients] == [("P0", 2, 2), ("P1", 3, 3)]


def test_missed_and_extra_vertebrae_are_kept_with_their_place(tmp_path: Path) -> None:
    """Read: T4, T6, T12. Found: T4 .. T8: T12 is missed, T5 lies between, T7 and T8 too, none is beyond."""
    lake = small_lake(tmp_path / "lake", {0: (0.1, 0.3, 0.0, 0.0, 0.0)})
    pairs = paired(lake, tmp_path, [reading(0, level, 0) for level in ("T4", "T6", "T12")])
    assert [p.reason for p in pairs.vertebrae] == [None, None, "missed"]
    assert [(x.found["vertebra_level"], x.where) for x in pairs.extra] == [
        ("T5", "between"), ("T7", "between"), ("T8", "between")
    ]  # fmt: skip
    pairs = paired(lake, tmp_path, [reading(0, "T4", 0), reading(0, "T6", 0)])
    assert [(x.found["vertebra_level"], x.where) for x in pairs.extra][1:] == [("T7", "beyond"), ("T8", "beyond")]


def test_by_position_a_wrong_name_does_not_hide_the_body(tmp_path: Path) -> None:
    """The reader names the column one level lower than the lake; centres are where they are."""
    lake = small_lake(tmp_path / "lake", {0: (0.1, 0.3, 0.0)})
    rows = [
        reading(0, FROM_T4[i + 1], g, SeriesInstanceUID=uid(0), **points_at(100.0 - 30 * i + 4.0))
        for i, g in enumerate((0, 2, 0))
    ]
    pairs = paired(lake, tmp_path, rows)
    assert [(p.grade, p.matched_by) for p in pairs.vertebrae] == [(0, "position"), (2, "position"), (0, "position")]
    assert pairs.vertebrae[1].found["vertebra_level"] == "T5" != pairs.vertebrae[1].reference.vertebra_level
    assert pairs.extra == ()


def test_by_position_a_far_body_is_missed_and_its_namesake_extra(tmp_path: Path) -> None:
    lake = small_lake(tmp_path / "lake", {0: (0.1, 0.3)})
    rows = [
        reading(0, "T4", 0, SeriesInstanceUID=uid(0), **points_at(100.0)),
        reading(0, "T5", 2, SeriesInstanceUID=uid(0), **points_at(70.0, y=60.0)),
    ]
    pairs = paired(lake, tmp_path, rows)
    assert [p.reason for p in pairs.vertebrae] == [None, "missed"]
    assert [x.found["vertebra_level"] for x in pairs.extra] == ["T5"]


def test_a_level_on_two_series_counts_once_with_its_worst_grade(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    manifest = [manifest_row(0), manifest_row(0, 1, selected=True, stage=None, reason_code=None)]
    put_index(lake, manifest)
    land(lake, "s", [ended(manifest[0], (0.1, 0.0)), ended(manifest[1], (0.3, 0.0))])
    pairs = paired(lake, tmp_path, readings_of({0: (2, 0)}))
    assert [p.grade for p in pairs.vertebrae] == [2, 0]
    assert pairs.extra == ()


def test_a_call_that_is_missing_says_why(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    manifest = [
        manifest_row(0),
        manifest_row(1, selected=False, stage="accept", reason_code="slices_too_thick"),
        manifest_row(2),
        manifest_row(3),
    ]
    put_index(lake, manifest)
    row, vertebrae = ended(manifest[0], (0.1, 0.3))
    graded = ("genant_grade", "genant_grade_raw", "fracture_probability", "grade2_probability", "deformity_type")
    vertebrae[1] |= dict.fromkeys(graded) | {"truncated": True, "reason_code": "truncated"}
    failed = ended(manifest[2], state="failed")[0] | {"stage": "decode", "reason_code": "decode_failed"}
    land(lake, "s", [(row, vertebrae), ended(manifest[1]), (failed, [])])
    pairs = paired(lake, tmp_path, [*readings_of({0: (0, 2), 1: (1,), 2: (1,), 3: (1,), 9: (1,)})])
    assert [p.reason for p in pairs.vertebrae] == [
        None, "truncated", "rejected: slices_too_thick", "failed: decode_failed", "pending", "absent"
    ]  # fmt: skip
    assert [p.reason for p in pairs.patients][1:] == [
        "rejected: slices_too_thick", "failed: decode_failed", "pending", "absent"
    ]  # fmt: skip
    assert pairs.patients[-1].patient_key == f"study {study_uid(9)}"


def test_a_patient_is_the_worst_of_the_exams_that_were_read(tmp_path: Path) -> None:
    """Patient P0 has exams 0 (2024) and 5 (2020); the later one stands for age and scanner."""
    lake = small_lake(
        tmp_path / "lake",
        {0: (0.1,), 5: (0.3,)},
        patient_pseudonym=("P0", "P0"),
        StudyDate=("20240101", "20200101"),
        PatientAge_years=(74.0, 70.0),
    )
    (patient,) = paired(lake, tmp_path, readings_of({0: (0,), 5: (1,)})).patients
    assert (patient.reference_grade, patient.grade, patient.exam_count) == (1, 2, 2)
    assert patient.exam["PatientAge_years"] == 74.0
    assert patient.grade2_probability == pytest.approx(0.6 * 0.3)


def test_readings_of_another_archive_are_an_error(tmp_path: Path) -> None:
    lake = small_lake(tmp_path / "lake", {0: (0.1,)})
    with pytest.raises(EvaluationError, match="none of the 1 studies"):
        paired(lake, tmp_path, readings_of({7: (0,)}))
