"""Writes small DICOM series with pydicom: any affine, transfer syntax and pixel layout, and any defect on purpose.

Belongs here: a generic writer for tests. Does not belong here: anatomy (vfscreen.synthesis has patients).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLossless,
    JPEGLosslessSV1,
    generate_uid,
)

CT_IMAGE = UID("1.2.840.10008.5.1.4.1.1.2")
ENHANCED_CT = UID("1.2.840.10008.5.1.4.1.1.2.1")
CR_IMAGE = UID("1.2.840.10008.5.1.4.1.1.1")
DX_IMAGE = UID("1.2.840.10008.5.1.4.1.1.1.1")
_CT_ONLY = (
    "ConvolutionKernel",
    "PixelSpacing",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "SliceThickness",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "FrameOfReferenceUID",
)
_WRITTEN_BY_GDCM = {JPEGLossless, JPEGLosslessSV1}


def body(shape: tuple[int, int, int] = (12, 40, 48), seed: int = 0) -> np.ndarray:
    """int16 HU (K, J, I) with air, soft tissue and bone, every voxel different from its neighbours' pattern."""
    rng = np.random.default_rng(seed)
    hu = rng.integers(-80, 120, shape).astype(np.int16)
    hu[:, :3, :] = rng.integers(-1000, -900, (shape[0], 3, shape[2]))
    hu[:, shape[1] // 2 :, : shape[2] // 4] += 700
    return hu


def affine(
    spacing: tuple[float, float, float] = (3.0, 3.0, 5.0),
    origin: tuple[float, float, float] = (-50.0, -40.0, -300.0),
    rotation: np.ndarray | None = None,
    tilt_deg: float = 0.0,
) -> np.ndarray:
    """(4, 4) (i, j, k, 1) -> LPS mm. A gantry tilt turns the slices about x while the table moves along z."""
    tilt = np.radians(tilt_deg)
    directions = np.array([[1, 0, 0], [0, np.cos(tilt), 0], [0, np.sin(tilt), 1.0]])
    if rotation is not None:
        directions = rotation @ directions
    matrix = np.eye(4)
    matrix[:3, :3] = directions * np.array(spacing)
    matrix[:3, 3] = origin
    return matrix


@dataclass(frozen=True)
class SeriesSpec:
    """How a series is written. header: further attributes of every instance, by keyword; None removes one."""

    study_uid: str = field(default_factory=generate_uid)
    series_uid: str = field(default_factory=generate_uid)
    frame_of_reference_uid: str = field(default_factory=generate_uid)
    transfer_syntax: UID = ExplicitVRLittleEndian
    slope: float = 1.0
    intercept: float = -1024.0
    signed: bool = False
    bits_allocated: int = 16
    bits_stored: int = 12
    padding: int | None = None
    preamble: bool = True
    header: Mapping[str, Any] = field(default_factory=dict)

    def with_header(self, **header: Any) -> SeriesSpec:
        return replace(self, header={**self.header, **header})

    def stored(self, hu: np.ndarray) -> np.ndarray:
        """Stored values of HU."""
        kind = f"<{'i' if self.signed else 'u'}{self.bits_allocated // 8}"
        return np.rint((hu.astype(np.float64) - self.intercept) / self.slope).astype(kind)


def instance(spec: SeriesSpec, hu: np.ndarray, matrix: np.ndarray, k: int, number: int | None = None) -> FileDataset:
    """The data set of slice `k`."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CT_IMAGE
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[spec.series_uid, str(k), str(number)])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = CT_IMAGE, meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID = spec.study_uid, spec.series_uid
    data.FrameOfReferenceUID = spec.frame_of_reference_uid
    data.Modality, data.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.PatientID, data.PatientName = "SECRET-ID-4711", "Geheim^Person"
    data.PatientBirthDate, data.StudyDate, data.PatientSex = "19500301", "20200301", "F"
    data.AccessionNumber = "ACC-SECRET-99"
    data.KVP, data.ConvolutionKernel, data.PatientPosition = 120, "STANDARD", "HFS"
    data.SeriesNumber, data.AcquisitionNumber, data.InstanceNumber = 3, 1, (k if number is None else number) + 1
    columns, rows = matrix[:3, 0], matrix[:3, 1]
    spacing = np.linalg.norm(columns), np.linalg.norm(rows)
    data.PixelSpacing = [_ds(spacing[1]), _ds(spacing[0])]
    data.ImageOrientationPatient = [_ds(v) for v in (*(columns / spacing[0]), *(rows / spacing[1]))]
    data.ImagePositionPatient = [_ds(v) for v in matrix[:3, 3] + k * matrix[:3, 2]]
    data.SliceThickness = _ds(np.linalg.norm(matrix[:3, 2]))
    _pixels(data, spec, hu[k])
    _set(data, spec.header)
    return data


def film(stored: np.ndarray, spec: SeriesSpec | None = None, number: int = 0, **header: Any) -> FileDataset:
    """A DX film of stored values (rows, columns), MONOCHROME2, without spacing; `header` sets or removes attributes."""
    spec = replace(spec or SeriesSpec(), slope=1.0, intercept=0.0)
    data = instance(spec, stored[None], affine(), 0, number)
    for keyword in _CT_ONLY:
        delattr(data, keyword)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = DX_IMAGE
    data.Modality, data.ImageType, data.PresentationIntentType = "DX", ["ORIGINAL", "PRIMARY", ""], "FOR PRESENTATION"
    _set(data, {**spec.header, **header})
    return data


def write_film(path: Path, stored: np.ndarray, spec: SeriesSpec | None = None, number: int = 0, **header: Any) -> Path:
    """Writes `film`, in the transfer syntax of `spec`."""
    spec = spec or SeriesSpec()
    return write(spec, film(stored, spec, number, **header), path)


def write(spec: SeriesSpec, data: FileDataset, path: Path) -> Path:
    """Writes a data set in the transfer syntax of `spec`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    syntax = spec.transfer_syntax
    if syntax in _WRITTEN_BY_GDCM:
        data.save_as(path, enforce_file_format=True)
        _convert(path, syntax)
        return path
    if syntax.is_compressed and syntax != DeflatedExplicitVRLittleEndian:
        data.compress(syntax, generate_instance_uid=False)
    else:
        data.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            data.PixelData = np.frombuffer(data.PixelData, "<u2").astype(">u2").tobytes()
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    data.set_original_encoding(implicit, little)
    if spec.preamble:
        data.save_as(path, enforce_file_format=True)
    else:
        bare = Dataset(data)
        bare.set_original_encoding(implicit, little)
        bare.save_as(path, implicit_vr=implicit, little_endian=little)
    return path


def write_series(
    folder: Path, spec: SeriesSpec, hu: np.ndarray, matrix: np.ndarray, slices: Iterable[int] | None = None
) -> list[Path]:
    """Writes slices (all by default) as files without extension, in an order that says nothing about positions."""
    chosen = list(range(len(hu)) if slices is None else slices)
    names = np.random.default_rng(len(chosen)).permutation(len(chosen))
    return [write(spec, instance(spec, hu, matrix, k), folder / f"IM{names[n]:05d}") for n, k in enumerate(chosen)]


def write_enhanced(path: Path, spec: SeriesSpec, hu: np.ndarray, matrix: np.ndarray) -> Path:
    """One enhanced CT file with a frame a slice, frames in reversed order."""
    data = instance(spec, hu, matrix, 0)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = ENHANCED_CT
    orientation, spacing, thickness = data.ImageOrientationPatient, data.PixelSpacing, data.SliceThickness
    for keyword in (
        "ImageOrientationPatient",
        "ImagePositionPatient",
        "PixelSpacing",
        "SliceThickness",
        "RescaleSlope",
        "RescaleIntercept",
    ):
        delattr(data, keyword)
    order = list(range(len(hu)))[::-1]
    data.NumberOfFrames = len(hu)
    data.PixelData = np.concatenate([spec.stored(hu[k]).ravel() for k in order]).tobytes()
    shared = Dataset()
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=orientation)]
    shared.PixelMeasuresSequence = [_item(PixelSpacing=spacing, SliceThickness=thickness)]
    shared.PixelValueTransformationSequence = [
        _item(RescaleSlope=_ds(spec.slope), RescaleIntercept=_ds(spec.intercept), RescaleType="HU")
    ]
    data.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for k in order:
        frame = Dataset()
        position = [_ds(v) for v in matrix[:3, 3] + k * matrix[:3, 2]]
        frame.PlanePositionSequence = [_item(ImagePositionPatient=position)]
        frame.FrameContentSequence = [_item(StackID="1", InStackPositionNumber=k + 1)]
        frames.append(frame)
    data.PerFrameFunctionalGroupsSequence = frames
    _set(data, spec.header)
    return write(spec, data, path)


def _pixels(data: Dataset, spec: SeriesSpec, hu: np.ndarray) -> None:
    data.Rows, data.Columns = hu.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit = spec.bits_allocated, spec.bits_stored, spec.bits_stored - 1
    data.PixelRepresentation = int(spec.signed)
    data.RescaleSlope, data.RescaleIntercept, data.RescaleType = _ds(spec.slope), _ds(spec.intercept), "HU"
    if spec.padding is not None:
        data.add_new("PixelPaddingValue", "SS" if spec.signed else "US", spec.padding)
    stored = spec.stored(hu).tobytes()
    data.PixelData = stored + b"\0" * (len(stored) % 2)


def _convert(path: Path, syntax: UID) -> None:
    """Recodes a file with GDCM, which encodes JPEG lossless where pydicom cannot."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    assert pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID == syntax


def _set(data: Dataset, header: Mapping[str, Any]) -> None:
    for keyword, value in header.items():
        if value is None:
            if keyword in data:
                delattr(data, keyword)
        else:
            setattr(data, keyword, value)


def _item(**values: Any) -> Dataset:
    item = Dataset()
    _set(item, values)
    return item


def _ds(value: float) -> str:
    """A decimal string of at most 16 characters."""
    text = repr(round(float(value), 10))
    return text if len(text) <= 16 else f"{float(value):.9g}"
