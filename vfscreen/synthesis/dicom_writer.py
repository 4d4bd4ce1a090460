"""Write a `Volume` as a CT (or MR) series of DICOM files, and the small objects that lie around in an archive.

Belongs here: DICOM attributes and encodings. Does not belong here: which series an archive holds (`demo_archive`).
Everybody in these files is invented; UIDs, names and dates follow from a seed, so that the same call writes the same
bytes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
    XRayRadiationDoseSRStorage,
    generate_uid,
)

from vfscreen.geometry.volume import Volume

UNCOMPRESSED, RLE, JPEG_LS, JPEG_2000 = (
    str(uid) for uid in (ExplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEG2000Lossless)
)
"""Transfer syntaxes that can be written, all lossless."""

_UID_ROOT = "1.2.826.0.1.3680043.8.498."


def seeded_uid(*parts: object) -> str:
    """A valid UID that is a function of `parts` alone."""
    return str(generate_uid(prefix=_UID_ROOT, entropy_srcs=["vfscreen", *map(str, parts)]))


@dataclass(frozen=True)
class PatientHeader:
    """An invented person. birth_date: YYYYMMDD."""

    patient_id: str
    name: str
    sex: str
    birth_date: str


@dataclass(frozen=True)
class StudyHeader:
    """date: YYYYMMDD; age_years at that date."""

    patient: PatientHeader
    study_uid: str
    date: str
    age_years: int
    description: str
    accession: str
    institution: str = "Synthetic General Hospital"


@dataclass(frozen=True)
class SeriesHeader:
    """What the headers of a series say.

    signed: stored pixels are signed with intercept 0 instead of unsigned with intercept -1024.
    reversed_numbers: InstanceNumber falls where the slice position rises along k.
    """

    study: StudyHeader
    series_uid: str
    number: int
    description: str
    kernel: str = "B30f"
    kvp_kv: float | None = 120.0
    manufacturer: str = "SYNTHETIC SIEMENS-LIKE"
    model_name: str = "Phantom 64"
    patient_position: str = "HFS"
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "AXIAL")
    modality: str = "CT"
    body_part: str = "SPINE"
    contrast: str | None = None
    slice_thickness_mm: float | None = None
    gantry_tilt_deg: float = 0.0
    transfer_syntax: str = UNCOMPRESSED
    signed: bool = False
    reversed_numbers: bool = False


def write_series(
    folder: Path,
    volume: Volume,
    header: SeriesHeader,
    *,
    suffix: str = ".dcm",
    leave_out: Collection[int] = (),
    first_number: int = 1,
) -> list[Path]:
    """One file a slice of `volume` (HU -1024..3071 for CT, values >= 0 for MR), named by instance number.

    Slice k lies at the affine's origin + k times its third column, whatever its direction. leave_out: slices that are
    not written (for an archive with missing ones). first_number: lowest InstanceNumber, for a part of a longer
    series. Returns the files in the order of k.
    """
    folder.mkdir(parents=True, exist_ok=True)
    spacing = volume.spacing_mm
    columns = volume.affine_lps[:3, :2] / np.asarray(spacing[:2])
    count = volume.hu.shape[0]
    normal = np.cross(columns[:, 0], columns[:, 1])
    step = abs(float(normal @ volume.affine_lps[:3, 2]))
    written = []
    for k in range(count):
        if k in leave_out:
            continue
        number = first_number + (count - 1 - k if header.reversed_numbers else k)
        ds = _image(header, number)
        position = volume.affine_lps[:3, 3] + k * volume.affine_lps[:3, 2]
        ds.ImagePositionPatient = [decimal(x) for x in position]
        ds.ImageOrientationPatient = [decimal(x) for x in columns.T.ravel()]
        ds.PixelSpacing = [decimal(spacing[1]), decimal(spacing[0])]
        ds.SliceThickness = decimal(header.slice_thickness_mm or step)
        ds.SliceLocation = decimal(float(normal @ position))
        if header.modality == "CT":
            _ct_attributes(ds, header)
        _set_pixels(ds, volume.hu[k], header)
        path = folder / f"{number:04d}{suffix}"
        save_dataset(ds, path, header.transfer_syntax)
        written.append(path)
    return written


def write_secondary_capture(path: Path, header: SeriesHeader, grey: NDArray[np.uint8]) -> None:
    """An 8-bit screenshot (rows, columns)."""
    ds = _image(header, 1)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.ConversionType = "WSD"
    set_grey_pixels(ds, np.asarray(grey, dtype=np.uint8), 8, signed=False)
    save_dataset(ds, path, UNCOMPRESSED)


def write_dose_report(path: Path, header: SeriesHeader, dlp_mgy_cm: float) -> None:
    """A radiation dose structured report with its one number, as scanners send it beside the images."""
    ds = new_dataset(header, XRayRadiationDoseSRStorage, 1)
    ds.Modality = "SR"
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    ds.ContentDate, ds.ContentTime = header.study.date, "120500"
    ds.ConceptNameCodeSequence = DicomSequence([_code("113701", "DCM", "X-Ray Radiation Dose Report")])
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "NUM"
    item.ConceptNameCodeSequence = DicomSequence([_code("113813", "DCM", "CT Dose Length Product Total")])
    value = Dataset()
    value.NumericValue = decimal(dlp_mgy_cm)
    value.MeasurementUnitsCodeSequence = DicomSequence([_code("mGy.cm", "UCUM", "mGy.cm")])
    item.MeasuredValueSequence = DicomSequence([value])
    ds.ContentSequence = DicomSequence([item])
    save_dataset(ds, path, UNCOMPRESSED)


def new_dataset(header: SeriesHeader, sop_class: UID, number: int) -> FileDataset:
    """Patient, study and series of an instance, without an image."""
    instance_uid = seeded_uid(header.series_uid, number)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = UID(instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    study, patient = header.study, header.study.patient
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, instance_uid
    ds.StudyDate = ds.SeriesDate = study.date
    ds.StudyTime, ds.SeriesTime = "120000", f"1200{header.number % 60:02d}"
    ds.AccessionNumber = study.accession
    ds.Modality = header.modality
    ds.Manufacturer, ds.ManufacturerModelName = header.manufacturer, header.model_name
    ds.InstitutionName, ds.StationName = study.institution, "SYNCT01"
    ds.ReferringPhysicianName = ""
    ds.StudyDescription, ds.SeriesDescription = study.description, header.description
    ds.PatientName, ds.PatientID = patient.name, patient.patient_id
    ds.IssuerOfPatientID = "SYNTHETIC"
    ds.PatientBirthDate, ds.PatientSex = patient.birth_date, patient.sex
    ds.PatientAge = f"{study.age_years:03d}Y"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study.study_uid, header.series_uid
    ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = "1", header.number, number
    return ds


def _image(header: SeriesHeader, number: int) -> FileDataset:
    sop_class = MRImageStorage if header.modality == "MR" else CTImageStorage
    ds = new_dataset(header, sop_class, number)
    ds.ImageType = list(header.image_type)
    ds.AcquisitionNumber = 1
    ds.AcquisitionDate = ds.ContentDate = header.study.date
    ds.AcquisitionTime = ds.ContentTime = "120100"
    ds.FrameOfReferenceUID = seeded_uid(header.study.study_uid, "frame")
    ds.PositionReferenceIndicator = ""
    ds.BodyPartExamined = header.body_part
    ds.PatientPosition = header.patient_position
    if header.modality == "MR":
        ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions = "SE", "SK", ""
        ds.MRAcquisitionType, ds.EchoTime, ds.RepetitionTime = "2D", 95, 3500
        ds.MagneticFieldStrength, ds.EchoTrainLength = 1.5, 15
    return ds


def _ct_attributes(ds: FileDataset, header: SeriesHeader) -> None:
    if header.kvp_kv is not None:
        ds.KVP = decimal(header.kvp_kv)
    ds.ConvolutionKernel = header.kernel
    ds.XRayTubeCurrent, ds.ExposureTime = 210, 500
    ds.GantryDetectorTilt = decimal(header.gantry_tilt_deg)
    ds.TableHeight = 150
    ds.RescaleIntercept = 0 if header.signed else -1024
    ds.RescaleSlope = 1
    ds.RescaleType = "HU"
    ds.WindowCenter, ds.WindowWidth = 300, 1500
    if header.contrast:
        ds.ContrastBolusAgent, ds.ContrastBolusRoute = header.contrast, "IV"


def _set_pixels(ds: FileDataset, plane: NDArray[np.int16], header: SeriesHeader) -> None:
    if header.modality == "MR":
        set_grey_pixels(ds, plane.astype(np.uint16), 12, signed=False)
    elif header.signed:
        set_grey_pixels(ds, plane, 16, signed=True)
    else:
        set_grey_pixels(ds, (plane.astype(np.int32) + 1024).astype(np.uint16), 12, signed=False)


def set_grey_pixels(ds: FileDataset, plane: NDArray[np.generic], bits: int, *, signed: bool) -> None:
    """(rows, columns) as MONOCHROME2, of which `bits` are used."""
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = plane.shape
    ds.BitsAllocated = 8 * plane.dtype.itemsize
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits - 1, int(signed)
    ds.PixelData = np.ascontiguousarray(plane).tobytes()
    ds["PixelData"].VR = "OW" if plane.dtype.itemsize == 2 else "OB"


def save_dataset(ds: FileDataset, path: Path, transfer_syntax: str) -> None:
    """Write one file, its folder made where it is absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if transfer_syntax != UNCOMPRESSED:
        ds.compress(UID(transfer_syntax), generate_instance_uid=False)
    ds.save_as(path, enforce_file_format=True)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def decimal(value: float) -> str:
    """A decimal string of at most 16 characters."""
    text = f"{float(value):.6f}".rstrip("0").rstrip(".")
    return text if text not in ("-0", "") else "0"
