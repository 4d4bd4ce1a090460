"""The header of one DICOM file -> the columns of a FILES row.

Belongs here: which elements are read and what columns they become, for files with and without preamble, in every
transfer syntax. Does not belong here: where bytes come from (`sources`), the state of a file (`scan`), geometry
(`series`).

Common files are walked by `elements`; whatever it does not know (big endian, deflated, no preamble, multi-frame, broken
lengths) is read by pydicom. Both ways end in the same raw values and conversions.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from vfscreen.errors import ReasonCode
from vfscreen.ingest import elements
from vfscreen.ingest.elements import NeedMore, Truncated, Unusual
from vfscreen.ingest.identity import Pseudonymiser
from vfscreen.ingest.sources import ByteSource
from vfscreen.ingest.values import TextDecoder, age_years, finite_list, to_float, to_floats, to_int, to_unsigned

FIRST_BYTES = 1 << 16
"""What is fetched of a file before its header's length is known."""

_HEADER_BYTES_MAX = 1 << 28
MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"

Converter = Callable[[bytes], Any]
_TEXT: Converter | None = None  # decoded with the data set's character set

_SPECIFIC_CHARACTER_SET = 0x00080005
_BIRTH_DATE, _AGE, _PATIENT_ID, _ISSUER = 0x00100030, 0x00101010, 0x00100020, 0x00100021
_META_CLASS, _META_INSTANCE, _META_SYNTAX = 0x00020002, 0x00020003, 0x00020010
_MODALITY, _FUNCTIONAL_GROUPS = 0x00080060, 0x52000000

_COLUMNS: dict[int, tuple[str, Converter | None]] = {
    0x00080008: ("ImageType", _TEXT),
    0x00080016: ("SOPClassUID", _TEXT),
    0x00080018: ("SOPInstanceUID", _TEXT),
    0x00080020: ("StudyDate", _TEXT),
    0x00080050: ("AccessionNumber", _TEXT),
    _MODALITY: ("Modality", _TEXT),
    0x00080068: ("PresentationIntentType", _TEXT),
    0x00080070: ("Manufacturer", _TEXT),
    0x00080080: ("InstitutionName", _TEXT),
    0x00081010: ("StationName", _TEXT),
    0x00081030: ("StudyDescription", _TEXT),
    0x0008103E: ("SeriesDescription", _TEXT),
    0x00081090: ("ManufacturerModelName", _TEXT),
    0x00100040: ("PatientSex", _TEXT),
    0x00180010: ("ContrastBolusAgent", _TEXT),
    0x00180015: ("BodyPartExamined", _TEXT),
    0x00180050: ("SliceThickness_mm", to_float),
    0x00180060: ("KVP_kV", to_float),
    0x00181114: ("EstimatedRadiographicMagnificationFactor", to_float),
    0x00181120: ("GantryDetectorTilt_deg", to_float),
    0x00181164: ("ImagerPixelSpacing_mm", to_floats(2)),
    0x00181210: ("ConvolutionKernel", _TEXT),
    0x00185100: ("PatientPosition", _TEXT),
    0x00185101: ("ViewPosition", _TEXT),
    0x0020000D: ("StudyInstanceUID", _TEXT),
    0x0020000E: ("SeriesInstanceUID", _TEXT),
    0x00200011: ("SeriesNumber", to_int),
    0x00200012: ("AcquisitionNumber", to_int),
    0x00200013: ("InstanceNumber", to_int),
    0x00200020: ("PatientOrientation", _TEXT),
    0x00200032: ("ImagePositionPatient_mm", to_floats(3)),
    0x00200037: ("ImageOrientationPatient", to_floats(6)),
    0x00200052: ("FrameOfReferenceUID", _TEXT),
    0x00200060: ("Laterality", _TEXT),
    0x00200062: ("ImageLaterality", _TEXT),
    0x00280002: ("SamplesPerPixel", to_unsigned),
    0x00280004: ("PhotometricInterpretation", _TEXT),
    0x00280008: ("NumberOfFrames", to_int),
    0x00280010: ("Rows", to_unsigned),
    0x00280011: ("Columns", to_unsigned),
    0x00280030: ("PixelSpacing_mm", to_floats(2)),
    0x00280100: ("BitsAllocated", to_unsigned),
    0x00280301: ("BurnedInAnnotation", _TEXT),
    0x00280A02: ("PixelSpacingCalibrationType", _TEXT),
    0x00281052: ("RescaleIntercept", to_float),
    0x00281053: ("RescaleSlope", to_float),
}
WANTED = frozenset(_COLUMNS) | {_SPECIFIC_CHARACTER_SET, _BIRTH_DATE, _AGE, _PATIENT_ID, _ISSUER}
"""Tags of the elements that are read from the data set."""
_META = frozenset({_META_CLASS, _META_INSTANCE, _META_SYNTAX})
_UNSIGNED = frozenset(tag for tag, (_, convert) in _COLUMNS.items() if convert is to_unsigned)


class HeaderError(Exception):
    """The header cannot be had. reason: a code of the scan; message: for a person."""

    def __init__(self, reason: ReasonCode, message: str) -> None:
        self.reason = reason
        self.message = message
        super().__init__(message)


@dataclass(frozen=True)
class RawHeader:
    """Raw values by tag (file meta information included), all little endian, and what was seen on the way."""

    values: dict[int, bytes]
    has_pixel_data: bool
    frames: list[dict[str, Any]] | None = None


def looks_like_dicom(first: bytes) -> bool:
    """Whether the bytes begin a DICOM file: with preamble, or a bare data set that starts in group 0002 or 0008."""
    if first[128:132] == b"DICM":
        return True
    if len(first) < 16:
        return False
    little = first[0:2] in (b"\x02\x00", b"\x08\x00") and first[3:4] == b"\x00"
    big = first[0:2] in (b"\x00\x02", b"\x00\x08") and first[2:3] == b"\x00"
    if not (little or big):
        return False
    explicit = first[4:6].isalpha() and first[4:6].isupper()
    implicit_length = int.from_bytes(first[4:8], "little" if little else "big")
    return explicit or implicit_length < 1024


def read_raw(source: ByteSource) -> RawHeader:
    """Raw header of a DICOM file. Raises HeaderError; OSError where the bytes cannot be had."""
    size = source.size
    data = source.read(0, min(size, FIRST_BYTES))
    try:
        while True:
            try:
                return _walk(data, size)
            except NeedMore as more:
                if more.end > _HEADER_BYTES_MAX:
                    raise Unusual("a header of hundreds of megabytes") from more
                data = longer(source, data, more)
    except Truncated as error:
        why = f"the header ends early: {error} (file of {size} bytes)"
        raise HeaderError(ReasonCode.HEADER_UNREADABLE, why) from error
    except Unusual:
        return _read_with_pydicom(source)


def longer(source: ByteSource, data: bytes, more: NeedMore) -> bytes:
    """At least four times as many leading bytes, or all. Raises Truncated where the source has become shorter."""
    fetched = source.read(0, min(source.size, max(more.end, 4 * len(data))))
    if len(fetched) <= len(data):
        raise Truncated(f"{len(fetched)} of {source.size} bytes can be read")
    return fetched


def _walk(data: bytes, size: int) -> RawHeader:
    if data[128:132] != b"DICM":
        raise Unusual("no preamble")
    meta = elements.walk(data, 132, explicit=True, wanted=_META, stop=elements.DATA_SET_FIRST, size=size)
    syntax = meta.values.get(_META_SYNTAX, b"").strip(b" \x00").decode("ascii", "replace")
    if syntax in ("", ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian):
        raise Unusual("transfer syntax")
    explicit = syntax != ImplicitVRLittleEndian
    at = meta.position
    if not explicit and data[at + 4 : at + 6].isalpha() and data[at + 4 : at + 6].isupper():
        raise Unusual("says implicit, looks explicit")
    body = elements.walk(data, at, explicit=explicit, wanted=WANTED, stop=_FUNCTIONAL_GROUPS, size=size)
    tag = body.tag
    if tag is not None and tag < elements.PIXEL_DATA_FIRST:
        if tag >> 16 == 0x5200 and body.values.get(_MODALITY, b"").strip() == b"CT":
            raise Unusual("multi-frame")
        tag = elements.walk(
            data, body.position, explicit=explicit, wanted=(), stop=elements.PIXEL_DATA_FIRST, size=size
        ).tag
    has_pixel_data = tag is not None and tag >> 16 == 0x7FE0
    return RawHeader(meta.values | body.values, has_pixel_data)


def _read_with_pydicom(source: ByteSource) -> RawHeader:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            file = io.BytesIO(source.read(0, source.size))
            dataset = pydicom.dcmread(file, force=True, stop_before_pixels=True)
            if not file.getbuffer() or (not len(dataset) and not len(dataset.file_meta)):
                raise ValueError("no elements")
            values = _raw_values(dataset)
            stopped_at = file.tell()
            has_pixel_data = _at_pixel_data(file, dataset, stopped_at)
            frames = _frames(dataset) if _is_multi_frame(dataset) else None
        except OSError:
            raise
        except Exception as error:  # whatever a broken header makes of pydicom is one thing: unreadable
            raise HeaderError(
                ReasonCode.HEADER_UNREADABLE, f"the header cannot be parsed: {type(error).__name__}: {error}"
            ) from error
    return RawHeader(values, has_pixel_data, frames)


def _raw_values(dataset: pydicom.FileDataset) -> dict[int, bytes]:
    values: dict[int, bytes] = {}
    for tag in WANTED | _META:
        element = dataset.file_meta.get_item(tag) if tag >> 16 == 2 else dataset.get_item(tag)
        if element is None:
            continue
        value = element.value
        if isinstance(value, bytes):
            if tag in _UNSIGNED and not getattr(element, "is_little_endian", True):
                value = value[:2][::-1]
            values[tag] = value
        elif value is not None:  # pydicom converts some elements while it reads
            if tag in _UNSIGNED:
                values[tag] = int(value).to_bytes(2, "little")
            else:
                parts = [value] if isinstance(value, str | int | float) else list(value)
                values[tag] = "\\".join(map(str, parts)).encode("ascii", "replace")
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None and dataset.original_encoding[0] is not None:
        implicit, little = dataset.original_encoding
        guessed = "1.2.840.10008.1.2" if implicit else "1.2.840.10008.1.2.1" if little else "1.2.840.10008.1.2.2"
        values[_META_SYNTAX] = guessed.encode()
    return values


def _at_pixel_data(file: io.BytesIO, dataset: pydicom.FileDataset, position: int) -> bool:
    if dataset.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        # pydicom inflates into a buffer of its own, which cannot be looked at
        return "PixelData" in pydicom.dcmread(io.BytesIO(file.getvalue()), force=True)
    head = file.getvalue()[position : position + 4]
    return head[:2] in (b"\xe0\x7f", b"\x7f\xe0")


def _is_multi_frame(dataset: Dataset) -> bool:
    return "PerFrameFunctionalGroupsSequence" in dataset and dataset.get("Modality") == "CT"


def _frames(dataset: Dataset) -> list[dict[str, Any]]:
    """Geometry and rescale of each frame from the functional groups (DICOM PS3.3 C.7.6.16)."""
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    frames: list[dict[str, Any]] = []
    for frame in dataset.PerFrameFunctionalGroupsSequence:

        def group(name: str, frame: Dataset = frame) -> Dataset:
            sequence = frame.get(name) or shared.get(name)
            return sequence[0] if sequence else Dataset()

        rescale, content = group("PixelValueTransformationSequence"), group("FrameContentSequence")
        slope, intercept = rescale.get("RescaleSlope"), rescale.get("RescaleIntercept")
        image_type = group("CTImageFrameTypeSequence").get("FrameType")
        frames.append(
            {
                "position": finite_list(group("PlanePositionSequence").get("ImagePositionPatient"), 3),
                "orientation": finite_list(group("PlaneOrientationSequence").get("ImageOrientationPatient"), 6),
                "spacing": finite_list(group("PixelMeasuresSequence").get("PixelSpacing"), 2),
                "slope": None if slope is None else float(slope),
                "intercept": None if intercept is None else float(intercept),
                "image_type": "\\".join(image_type) if image_type else None,
                "stack": content.get("StackID"),
                "time": content.get("TemporalPositionIndex"),
            }
        )
    return frames


def header_row(raw: RawHeader, pseudonymiser: Pseudonymiser | None) -> dict[str, Any]:
    """The columns of a FILES row that a header gives. Without a pseudonymiser pseudonyms are null.

    PatientID, names and birth dates are not in the row.
    """
    values = raw.values
    text = TextDecoder(values.get(_SPECIFIC_CHARACTER_SET))
    row: dict[str, Any] = {}
    for tag, (name, convert) in _COLUMNS.items():
        if value := values.get(tag):
            row[name] = text(value) if convert is None else convert(value)
    for name, tag in (("SOPClassUID", _META_CLASS), ("SOPInstanceUID", _META_INSTANCE)):
        if row.get(name) is None and tag in values:
            row[name] = text(values[tag])
    row["TransferSyntaxUID"] = text(values.get(_META_SYNTAX, b""))
    sex = (row.get("PatientSex") or "").upper()
    row["PatientSex"] = sex if sex in ("M", "F", "O") else None
    birth_date, age = text(values.get(_BIRTH_DATE, b"")), text(values.get(_AGE, b""))
    row["PatientAge_years"] = age_years(age, birth_date, row.get("StudyDate"))
    if (row.get("KVP_kV") or 0) <= 0:
        row["KVP_kV"] = None  # 0 stands for unknown
    patient_id, issuer = text(values.get(_PATIENT_ID, b"")), text(values.get(_ISSUER, b""))
    row["patient_pseudonym"] = pseudonymiser.patient(patient_id, issuer) if pseudonymiser else None
    row["AccessionNumber"] = pseudonymiser.accession(row.get("AccessionNumber")) if pseudonymiser else None
    row["has_pixel_data"] = raw.has_pixel_data
    row["frames_json"] = None if raw.frames is None else json.dumps(raw.frames, separators=(",", ":"))
    return row
