"""Acceptance: each kind of series ends with its own reason and the numbers that decided."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydicom.uid import generate_uid
from scipy.spatial.transform import Rotation

from tests.dicom_builder import SeriesSpec, affine, body, instance, write, write_enhanced, write_series
from tests.ingest.helpers import described, series
from vfscreen.ingest.series import describe_series
from vfscreen.ingest.stacks import Stack, leading_stack, slices_of
from vfscreen.schema.tables import FILES, MANIFEST
from vfscreen.settings import AcceptSettings


def make(folder: Path, spec: SeriesSpec | None = None, matrix: np.ndarray | None = None, slices=None) -> dict[str, Any]:
    write_series(folder, spec or SeriesSpec(), body(), affine() if matrix is None else matrix, slices)
    row = described(folder)
    MANIFEST.to_arrow([row])
    return row


def test_a_sound_series_is_described(tmp_path: Path) -> None:
    row = make(tmp_path)
    assert row["selected"] and row.get("reason_code") is None and row["message"] is None
    expected = {
        "instance_count": 12,
        "used_instance_count": 12,
        "duplicate_instance_count": 0,
        "left_out_instance_count": 0,
        "slice_count": 12,
        "Rows": 40,
        "Columns": 48,
        "orientation": "axial",
        "is_uniform": True,
        "has_gaps": False,
        "has_duplicate_positions": False,
        "is_sheared": False,
    }
    assert {k: row[k] for k in expected} == expected
    assert row["row_spacing_mm"] == row["column_spacing_mm"] == 3.0
    assert row["slice_spacing_mm"] == pytest.approx(5.0)
    assert row["coverage_mm"] == pytest.approx(60.0)
    assert (row["inferior_mm"], row["superior_mm"]) == pytest.approx((-300.0, -245.0))
    assert row["field_of_view_mm"] == pytest.approx(120.0)
    assert row["patient_pseudonym"] and "SECRET" not in str(row)


REJECTED_BY_HEADER = [
    ("modality_not_supported", {"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"}, "MR"),
    ("not_an_image", {"Modality": "SR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.67"}, "SR"),
    ("localizer", {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "LOCALIZER"),
    ("derived_image", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "1.2.840.10008.5.1.4.1.1.7"),
    ("derived_image", {"ImageType": ["DERIVED", "SECONDARY", "AXIAL", "MIP"]}, "MIP"),
    ("pixel_data_missing", {"PixelData": None}, "12 of 12"),
    ("pixel_format_not_supported", {"PhotometricInterpretation": "PALETTE COLOR"}, "PALETTE COLOR"),
    ("rescale_missing", {"RescaleSlope": None}, "12 of 12"),
    ("geometry_missing", {"ImagePositionPatient": None}, "ImagePositionPatient"),
    ("geometry_missing", {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "sound"),
    ("geometry_missing", {"PixelSpacing": [0, 0]}, "sound"),
    ("field_of_view_too_small", {"PixelSpacing": ["0.5", "0.5"]}, "20.0 mm"),
]


@pytest.mark.parametrize(("reason", "header", "words"), REJECTED_BY_HEADER)
def test_rejected_for_what_it_is(tmp_path: Path, reason: str, header: dict[str, Any], words: str) -> None:
    row = make(tmp_path, SeriesSpec().with_header(**header))
    assert (row["selected"], row["stage"], row["reason_code"]) == (False, "accept", reason)
    assert words in row["message"]


@pytest.mark.parametrize(
    ("reason", "slices", "words"),
    [
        ("missing_slices", [0, 1, 2, 3, 4, 6, 7, 10, 11], "3 slices are missing"),
        ("too_few_slices", range(5), "5 slices"),
    ],
)
def test_rejected_for_its_slices(tmp_path: Path, reason: str, slices, words: str) -> None:
    row = make(tmp_path, slices=slices)
    assert row["reason_code"] == reason
    assert words in row["message"]
    assert row["has_gaps"] == (reason == "missing_slices")


@pytest.mark.parametrize(
    ("reason", "matrix", "words"),
    [
        ("slices_too_thick", affine((3.0, 3.0, 6.0)), "6.00 mm"),
        ("coverage_too_short", affine((3.0, 3.0, 1.0)), "12.0 mm"),
        ("gantry_tilt", affine(tilt_deg=40.0), "40.0 degrees"),
        ("orientation_not_axial", affine(rotation=Rotation.from_euler("x", 90, degrees=True).as_matrix()), "coronal"),
        ("orientation_not_axial", affine(rotation=Rotation.from_euler("y", 90, degrees=True).as_matrix()), "sagittal"),
        ("orientation_not_axial", affine(rotation=Rotation.from_euler("x", 40, degrees=True).as_matrix()), "oblique"),
    ],
)
def test_rejected_for_its_geometry(tmp_path: Path, reason: str, matrix: np.ndarray, words: str) -> None:
    row = make(tmp_path, matrix=matrix)
    assert row["reason_code"] == reason
    assert words in row["message"]


def test_uneven_spacing(tmp_path: Path) -> None:
    spec, hu = SeriesSpec(), body()
    for k in range(12):
        write(spec, instance(spec, hu, affine(origin=(0, 0, 1.0 * (k % 2))), k), tmp_path / str(k))
    row = described(tmp_path)
    assert row["reason_code"] == "uneven_spacing" and "from 4.000 to 6.000 mm" in row["message"]
    assert row["slice_spacing_deviation_mm"] == pytest.approx(2.0, abs=1e-6) and not row["is_uniform"]


def test_slices_that_shift_sideways_are_uneven(tmp_path: Path) -> None:
    spec, hu = SeriesSpec(), body()
    for k in range(12):
        write(spec, instance(spec, hu, affine(origin=(10.0 * (k == 5), 0, 0)), k), tmp_path / str(k))
    assert described(tmp_path)["reason_code"] == "uneven_spacing"


def test_tilt_is_accepted_up_to_the_limit_and_said(tmp_path: Path) -> None:
    row = make(tmp_path, matrix=affine(tilt_deg=22.0))
    assert row["selected"] and row["is_sheared"] and row["orientation"] == "axial"
    assert row["tilt_deg"] == pytest.approx(22.0, abs=1e-3)
    assert "22.0 degrees" in row["message"]


def test_a_tilt_that_only_the_header_tells_is_said(tmp_path: Path) -> None:
    row = make(tmp_path, SeriesSpec().with_header(GantryDetectorTilt=15))
    assert row["selected"] and "GantryDetectorTilt says 15.0 degrees" in row["message"]


def test_positions_that_cannot_be_told_apart(tmp_path: Path) -> None:
    spec, hu = SeriesSpec(), body()
    for k in range(12):
        write(spec, instance(spec, hu, affine(), k), tmp_path / f"a{k}")
        write(spec, instance(spec, hu, affine(), k, number=100 + k), tmp_path / f"b{k}")
    row = described(tmp_path)
    assert row["reason_code"] == "duplicate_positions" and "12 of 24" in row["message"]
    assert row["has_duplicate_positions"]


@pytest.mark.parametrize(
    "split",
    [{"AcquisitionNumber": 2}, {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "B"]}, {"ConvolutionKernel": "LUNG"}],
)
def test_of_several_phases_the_largest_is_taken(tmp_path: Path, split: dict[str, Any]) -> None:
    spec, hu = SeriesSpec(), body()
    write_series(tmp_path / "a", spec, hu, affine(), range(10))
    other = spec.with_header(**split)
    for k in range(12):
        write(other, instance(other, hu, affine(), k, number=100 + k), tmp_path / f"b{k}")
    row = described(tmp_path)
    assert row["selected"] and (row["slice_count"], row["left_out_instance_count"]) == (12, 10)
    assert "10 of other acquisitions or phases" in row["message"]


def test_a_localizer_inside_is_left_out(tmp_path: Path) -> None:
    spec, hu = SeriesSpec(), body()
    write_series(tmp_path / "ct", spec, hu, affine())
    scout = spec.with_header(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    turned = affine(rotation=Rotation.from_euler("x", 90, degrees=True).as_matrix())
    for k in range(2):
        write(scout, instance(scout, hu, turned, k, number=50 + k), tmp_path / f"scout{k}")
    row = described(tmp_path)
    assert row["selected"] and (row["slice_count"], row["left_out_instance_count"]) == (12, 2)


def test_without_a_leading_stack_the_series_is_mixed(tmp_path: Path) -> None:
    spec, hu = SeriesSpec(), body()
    for part, scale in enumerate((1.0, 0.9, 0.8)):
        matrix = affine((3.0 * scale, 3.0, 5.0), origin=(0, 0, 200.0 * part))
        for k in range(10):
            write(spec, instance(spec, hu, matrix, k, number=part * 50 + k), tmp_path / f"{part}{k}")
    row = described(tmp_path)
    assert row["reason_code"] == "mixed_geometry" and "10 of 30 slices; 20 differ" in row["message"]


def test_copies_of_an_instance_count_once(tmp_path: Path) -> None:
    files = write_series(tmp_path / "a", SeriesSpec(), body(), affine())
    (tmp_path / "copy").mkdir()
    for file in files[:5]:
        (tmp_path / "copy" / file.name).write_bytes(file.read_bytes())
    row = described(tmp_path)
    assert row["selected"]
    assert (row["instance_count"], row["used_instance_count"], row["duplicate_instance_count"]) == (17, 12, 5)


def test_enhanced_ct_is_described_like_its_slices(tmp_path: Path) -> None:
    write_enhanced(tmp_path / "x", SeriesSpec(), body(), affine(tilt_deg=10.0))
    row = described(tmp_path)
    assert row["selected"] and (row["instance_count"], row["slice_count"]) == (1, 12)
    assert row["tilt_deg"] == pytest.approx(10.0, abs=1e-3)
    assert row["slice_spacing_mm"] == pytest.approx(5.0 * np.cos(np.radians(10)), abs=1e-6)


def test_the_fingerprint_follows_the_files(tmp_path: Path) -> None:
    write_series(tmp_path, SeriesSpec(), body(), affine())
    (rows,) = series(tmp_path)
    first = describe_series(rows, AcceptSettings())["content_fingerprint"]
    assert describe_series(rows[::-1], AcceptSettings())["content_fingerprint"] == first
    changed = [rows[0] | {"modified": "1"}, *rows[1:]]
    assert describe_series(changed, AcceptSettings())["content_fingerprint"] != first
    assert describe_series(rows[1:], AcceptSettings())["content_fingerprint"] != first


def file_row(k: int, matrix: np.ndarray) -> dict[str, Any]:
    columns, rows = matrix[:3, 0], matrix[:3, 1]
    spacing = float(np.linalg.norm(rows)), float(np.linalg.norm(columns))
    return dict.fromkeys(FILES.by_name) | {
        "path": f"{k:03d}",
        "member": "",
        "SOPInstanceUID": generate_uid(entropy_srcs=[str(k)]),
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
        "Rows": 7,
        "Columns": 9,
        "ImageOrientationPatient": [*(columns / spacing[1]), *(rows / spacing[0])],
        "ImagePositionPatient_mm": list(matrix[:3, 3] + k * matrix[:3, 2]),
        "PixelSpacing_mm": list(spacing),
    }


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 6.0)] * 3),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
    tilt=st.floats(-45, 45),
    count=st.integers(2, 30),
    reversed_=st.booleans(),
    seed=st.integers(0, 99),
)
def test_geometry_is_found_again_from_shuffled_slices(angles, spacing, origin, tilt, count, reversed_, seed) -> None:
    rotation = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    matrix = affine(spacing, origin, rotation, tilt)
    if reversed_:
        matrix[:3, 2] *= -1
    rows = [file_row(k, matrix) for k in range(count)]
    random.Random(seed).shuffle(rows)
    leading = leading_stack(slices_of(rows))
    assert leading is not None
    stack: Stack = leading.stack
    assert len(stack.slices) == count and leading.other_count == leading.alternative_count == 0
    assert stack.tilt_deg == pytest.approx(abs(tilt), abs=1e-4)
    assert stack.spacing_mm == pytest.approx(spacing[2] * np.cos(np.radians(tilt)), rel=1e-6)
    assert stack.missing_count == stack.duplicate_count == 0 and stack.drift_mm < 1e-6
    for k, item in enumerate(stack.slices):
        for i, j in ((0, 0), (8, 6)):
            number = int(item.row["path"])
            expected = matrix @ [i, j, number, 1]
            np.testing.assert_allclose(stack.affine_lps @ [i, j, k, 1], expected, atol=1e-6)


def test_the_real_gantry_tilt_is_found(shared_data: Path) -> None:
    row = described(shared_data / "dicom" / "bad" / "gantry_tilt")
    assert row["selected"] and row["tilt_deg"] == pytest.approx(18.5, abs=0.01)
    limited = described(shared_data / "dicom" / "bad" / "gantry_tilt", tilt_max_deg=10.0)
    assert limited["reason_code"] == "gantry_tilt" and "18.5 degrees" in limited["message"]


def test_real_series_have_one_reason_each(shared_data: Path) -> None:
    found = [describe_series(rows, AcceptSettings()) for rows in series(shared_data / "dicom")]
    table = MANIFEST.to_arrow(found)
    assert table.num_rows == len(found) > 90
    for row in found:
        assert row["selected"] == (row.get("reason_code") is None)
    accepted = {row["instance_count"] for row in found if row["selected"]}
    assert {248, 41} <= accepted


def test_other_settings_of_the_site_decide(tmp_path: Path) -> None:
    write_series(tmp_path, replace(SeriesSpec()), body(), affine((3.0, 3.0, 6.0)))
    assert described(tmp_path)["reason_code"] == "slices_too_thick"
    assert described(tmp_path, slice_spacing_max_mm=8.0)["selected"]
