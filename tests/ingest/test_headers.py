"""Headers: the fast walk and pydicom agree on every file, and odd files end as what they are."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from tests.dicom_builder import SeriesSpec, affine, body, instance, write
from tests.ingest.helpers import KEY, scan
from vfscreen.ingest import elements, headers
from vfscreen.ingest.identity import Pseudonymiser
from vfscreen.ingest.sources import LocalFile, Memory

UNCOMPRESSED = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)


def row_of(data: bytes) -> dict[str, Any]:
    return headers.header_row(headers.read_raw(Memory(data)), Pseudonymiser(KEY))


def by_pydicom(data: bytes) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(headers, "_walk", lambda *_: (_ for _ in ()).throw(elements.Unusual("asked")))
        return row_of(data)


def test_walk_and_pydicom_agree_on_every_real_file(shared_data: Path) -> None:
    compared = 0
    for path in sorted(p for p in (shared_data / "dicom").rglob("*") if p.is_file()):
        data = path.read_bytes()
        try:
            walked = headers._walk(data, len(data))
        except (elements.Unusual, elements.Truncated):
            continue
        own = headers.header_row(walked, Pseudonymiser(KEY))
        other = by_pydicom(data)
        other["frames_json"] = own["frames_json"]
        assert own == other, path
        compared += 1
    assert compared > 500


def test_columns_match_what_pydicom_says(shared_data: Path) -> None:
    """An independent check: values as pydicom's own data set gives them, not the raw bytes the reader shares."""
    compared = 0
    for folder in ("chest_ct", "abdomen_ct", "bad/gantry_tilt"):
        for path in sorted((shared_data / "dicom" / folder).iterdir())[:12]:
            with LocalFile(str(path)) as source:
                row = headers.header_row(headers.read_raw(source), None)
            data = pydicom.dcmread(path)
            assert row["SOPInstanceUID"] == data.SOPInstanceUID
            assert row["Rows"] == data.Rows and row["Columns"] == data.Columns
            assert row["ImagePositionPatient_mm"] == [float(v) for v in data.ImagePositionPatient]
            assert row["ImageOrientationPatient"] == [float(v) for v in data.ImageOrientationPatient]
            assert row["PixelSpacing_mm"] == [float(v) for v in data.PixelSpacing]
            assert row["RescaleSlope"] == float(data.RescaleSlope)
            assert row["ImageType"] == "\\".join(data.ImageType)
            assert row["KVP_kV"] == float(data.KVP)
            assert row["has_pixel_data"] is True
            compared += 1
    assert compared == 36


@pytest.mark.parametrize("syntax", UNCOMPRESSED, ids=lambda s: s.name)
@pytest.mark.parametrize("preamble", [True, False])
def test_all_encodings_give_one_row(tmp_path: Path, syntax, preamble: bool) -> None:
    if syntax == DeflatedExplicitVRLittleEndian and not preamble:
        pytest.skip("a deflated data set cannot be without file meta information")
    reference, spec = SeriesSpec(), SeriesSpec(transfer_syntax=syntax, preamble=preamble)
    spec = SeriesSpec(**{**vars(reference), "transfer_syntax": syntax, "preamble": preamble})
    write(reference, instance(reference, body(), affine(), 2), tmp_path / "a" / "x")
    write(spec, instance(spec, body(), affine(), 2), tmp_path / "b" / "x")
    (expected,), (row,) = scan(tmp_path / "a"), scan(tmp_path / "b")
    assert row["file_state"] == "instance"
    assert row["TransferSyntaxUID"] == syntax
    for name in expected.keys() - {"modified", "size_bytes", "TransferSyntaxUID"}:
        assert row[name] == expected[name], name


def test_age_comes_from_the_age_or_from_the_dates(tmp_path: Path) -> None:
    def age(**header: Any) -> float | None:
        spec = SeriesSpec().with_header(**header)
        path = write(spec, instance(spec, body(), affine(), 0), tmp_path / "x")
        return row_of(path.read_bytes())["PatientAge_years"]

    assert age(PatientAge="067Y") == 67
    assert age(PatientAge="018M") == pytest.approx(1.5)
    assert age() == pytest.approx(70.0, abs=0.01)
    assert age(PatientAge="000Y") == pytest.approx(70.0, abs=0.01)
    assert age(PatientBirthDate=None) is None
    assert age(PatientBirthDate="20300101") is None
    assert age(PatientBirthDate=None, PatientAge="000Y") is None


def test_missing_and_senseless_values_are_null(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec = SeriesSpec().with_header(
            KVP=0, PatientSex="X", ImagePositionPatient=None, AccessionNumber="", RescaleSlope=None
        )
        row = row_of(write(spec, instance(spec, body(), affine(), 0), tmp_path / "x").read_bytes())
    for name in ("KVP_kV", "PatientSex", "AccessionNumber", "RescaleSlope"):
        assert row.get(name) is None, name
    assert row.get("ImagePositionPatient_mm") is None


@pytest.mark.parametrize(
    ("charset", "text"),
    [("ISO_IR 100", "Wirbelsäule"), ("ISO_IR 192", "脊椎 Wirbelsäule"), (["", "ISO 2022 IR 87"], "脊椎")],
)
def test_text_is_decoded_in_its_character_set(tmp_path: Path, charset, text: str) -> None:
    spec = SeriesSpec().with_header(SpecificCharacterSet=charset, SeriesDescription=text)
    row = row_of(write(spec, instance(spec, body(), affine(), 0), tmp_path / "x").read_bytes())
    assert row["SeriesDescription"] == text


def test_headers_longer_than_the_first_fetch_are_read(tmp_path: Path) -> None:
    spec = SeriesSpec().with_header(ImageComments="x" * 9000)
    data = instance(spec, body(), affine(), 0)
    data.add_new((0x0009, 0x0010), "LO", "PRIVATE")
    data.add_new((0x0009, 0x1001), "OB", b"\1" * (3 * headers.FIRST_BYTES))
    (row,) = scan(write(spec, data, tmp_path / "x").parent)
    assert row["file_state"] == "instance" and row["Rows"] == 40 and row["has_pixel_data"]


@pytest.mark.parametrize("keep", [140, 200, 400, 700, 900])
def test_a_truncated_header_is_unreadable(tmp_path: Path, keep: int) -> None:
    spec = SeriesSpec()
    path = write(spec, instance(spec, body(), affine(), 0), tmp_path / "x")
    path.write_bytes(path.read_bytes()[:keep])
    (row,) = scan(tmp_path)
    assert (row["file_state"], row["reason_code"]) == ("unreadable", "header_unreadable"), row


def test_a_retired_group_length_before_the_pixels_is_no_pixel_data(tmp_path: Path) -> None:
    spec = SeriesSpec()
    data = instance(spec, body(), affine(), 0)
    data.add_new((0x7FE0, 0x0000), "UL", len(data.PixelData) + 12)
    (row,) = scan(write(spec, data, tmp_path / "with" / "x").parent)
    assert row["has_pixel_data"]
    del data.PixelData
    (row,) = scan(write(spec, data, tmp_path / "without" / "x").parent)
    assert row["file_state"] == "instance" and not row["has_pixel_data"]
