"""Written series are DICOM, and give the volume back exactly."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from vfscreen.geometry.volume import Volume
from vfscreen.synthesis.dicom_writer import (
    PatientHeader,
    SeriesHeader,
    StudyHeader,
    seeded_uid,
    write_dose_report,
    write_secondary_capture,
    write_series,
)

STUDY = StudyHeader(
    PatientHeader("SYNTH-1", "Synthetic^One", "F", "19500215"), seeded_uid("study"), "20240301", 74, "CT", "A1"
)


def header(**values: object) -> SeriesHeader:
    return SeriesHeader(STUDY, seeded_uid("series"), 3, "soft", **values)


def volume(tilt_deg: float = 0.0) -> Volume:
    rng = np.random.default_rng(0)
    hu = rng.integers(-1024, 3072, (6, 40, 56)).astype(np.int16)
    hu[2] = np.linspace(-1024, 3071, 56).astype(np.int16)
    tilt = np.radians(tilt_deg)
    affine = np.eye(4)
    affine[:3, 0] = [0.7, 0, 0]
    affine[:3, 1] = np.array([0, np.cos(tilt), np.sin(tilt)]) * 0.8
    affine[:3, 2] = [0, 0, 2.5]
    affine[:3, 3] = [-13.25, 40.5, -812.125]
    return Volume(hu, affine)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("signed", [False, True])
def test_pixels_come_back_as_the_same_hounsfield_units(tmp_path: Path, syntax: str, signed: bool) -> None:
    expected = volume()
    paths = write_series(tmp_path, expected, header(transfer_syntax=syntax, signed=signed))
    for k, path in enumerate(paths):
        ds = dcmread(path)
        assert ds.file_meta.TransferSyntaxUID == syntax
        hu = ds.pixel_array.astype(np.int32) * int(ds.RescaleSlope) + int(ds.RescaleIntercept)
        assert np.array_equal(hu, expected.hu[k])


@pytest.mark.parametrize("tilt_deg", [0.0, 12.0, -20.0])
def test_the_headers_give_the_affine_back(tmp_path: Path, tilt_deg: float) -> None:
    expected = volume(tilt_deg)
    paths = write_series(tmp_path, expected, header(gantry_tilt_deg=tilt_deg, reversed_numbers=True))
    slices = [dcmread(p) for p in paths]
    assert [s.InstanceNumber for s in slices] == [6, 5, 4, 3, 2, 1]
    for k, ds in enumerate(slices):
        row, column = np.array(ds.ImageOrientationPatient, dtype=float).reshape(2, 3)
        for i, j in ((0, 0), (55, 0), (0, 39), (30, 17)):
            position = np.array(ds.ImagePositionPatient, dtype=float)
            position = position + i * float(ds.PixelSpacing[1]) * row + j * float(ds.PixelSpacing[0]) * column
            assert np.allclose(position, expected.to_lps(np.array([i, j, k], dtype=float)), atol=1e-3)


def test_attributes_are_valid_and_say_that_nobody_is_real(tmp_path: Path) -> None:
    (first, *rest) = write_series(tmp_path, volume(), header(), leave_out=(1, 3))
    assert len(rest) == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # pydicom warns of values that the standard does not allow
        slices = [dcmread(p) for p in (first, *rest)]
    uids = {str(s.SOPInstanceUID) for s in slices}
    assert len(uids) == 4
    for ds in slices:
        for uid in (ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.FrameOfReferenceUID):
            assert UID(uid).is_valid
        assert ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID
        assert "SYNTH" in ds.PatientID and "Synthetic" in str(ds.PatientName)
        assert (ds.PatientAge, ds.PatientSex, float(ds.KVP)) == ("074Y", "F", 120.0)


def test_the_same_call_writes_the_same_bytes(tmp_path: Path) -> None:
    one = write_series(tmp_path / "a", volume(), header(transfer_syntax=JPEGLSLossless))
    two = write_series(tmp_path / "b", volume(), header(transfer_syntax=JPEGLSLossless))
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]


def test_other_objects_are_what_they_claim(tmp_path: Path) -> None:
    write_dose_report(tmp_path / "dose.dcm", header(modality="SR"), 412.5)
    report = dcmread(tmp_path / "dose.dcm")
    assert report.SOPClassUID.name == "X-Ray Radiation Dose SR Storage" and "PixelData" not in report
    assert float(report.ContentSequence[0].MeasuredValueSequence[0].NumericValue) == 412.5
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    write_secondary_capture(tmp_path / "shot.dcm", header(), grey)
    shot = dcmread(tmp_path / "shot.dcm")
    assert shot.SOPClassUID.name == "Secondary Capture Image Storage"
    assert np.array_equal(shot.pixel_array, grey) and "RescaleSlope" not in shot
