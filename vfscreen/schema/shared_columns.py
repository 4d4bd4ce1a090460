"""Columns that several tables hold: keys, states with their reasons, copied headers; Arrow types by short names.

Belongs here: what two of the `*_tables` modules need. Does not belong here: a column of one table.
"""

from __future__ import annotations

import pyarrow as pa

from vfscreen.errors import ReasonCode, Stage, State
from vfscreen.schema.columns import Column

STR = pa.string()
F8 = pa.float64()
F4 = pa.float32()
I4 = pa.int32()
I8 = pa.int64()
BOOL = pa.bool_()
TIME = pa.timestamp("us", tz="UTC")
VEC3 = pa.list_(pa.float64(), 3)

REASONS = tuple(r.value for r in ReasonCode)
ENDS = (State.SCREENED.value, State.REJECTED.value, State.FAILED.value)
STAGES = tuple(s.value for s in Stage)

SERIES_UID = Column("SeriesInstanceUID", STR, "DICOM (0020,000E).", nullable=False)
STUDY_UID = Column("StudyInstanceUID", STR, "DICOM (0020,000D); empty string where the header has none.", False)
PATIENT = Column(
    "patient_pseudonym",
    STR,
    "Keyed HMAC-SHA256 of PatientID with IssuerOfPatientID; null where PatientID is missing. "
    "The key is never in the lake.",
)
REASON = Column("reason_code", STR, "Why the item is not screened; null where it is.", values=REASONS)
STAGE = Column("stage", STR, "The step at which the item left the chain; null where it passed.", values=STAGES)
MESSAGE = Column("message", STR, "The reason in words, with the numbers that decided.")
RELEASE = Column("model_release", STR, "Name and content hash of the weights and of the measuring code.", False)
FINGERPRINT = Column(
    "content_fingerprint", STR, "Hash over the series' instances (path, size, modification): changes with them.", False
)
RUN = Column("run_id", STR, "The sweep that wrote the row.", False)
SHARD = Column("shard_id", STR, "The shard (group of studies) that wrote the row.", False)

FILM_COUNT = Column(
    "film_count", I4, "Radiographs: films of the series, each once; null for other modalities.", minimum=0
)

# Headers that are copied from the instances, in DICOM's spelling. Missing stays null.
HEADER_COLUMNS: tuple[Column, ...] = (
    Column("AccessionNumber", STR, "DICOM (0008,0050), as keyed pseudonym."),
    Column("SOPClassUID", STR, "DICOM (0008,0016)."),
    Column("Modality", STR, "DICOM (0008,0060)."),
    Column("ImageType", STR, "DICOM (0008,0008), values joined by a backslash."),
    Column("StudyDate", STR, "DICOM (0008,0020), YYYYMMDD as found."),
    Column("SeriesDescription", STR, "DICOM (0008,103E). Free text: may hold what a site typed."),
    Column("StudyDescription", STR, "DICOM (0008,1030)."),
    Column("BodyPartExamined", STR, "DICOM (0018,0015)."),
    Column("Manufacturer", STR, "DICOM (0008,0070)."),
    Column("ManufacturerModelName", STR, "DICOM (0008,1090)."),
    Column("InstitutionName", STR, "DICOM (0008,0080): the site."),
    Column("StationName", STR, "DICOM (0008,1010)."),
    Column("PatientSex", STR, "DICOM (0010,0040): M, F, O; null where missing."),
    Column(
        "PatientAge_years",
        F8,
        "DICOM (0010,1010) in years, else from birth and study date; null where neither.",
        minimum=0,
        maximum=150,
    ),
    Column("PatientPosition", STR, "DICOM (0018,5100), for example HFS."),
    Column("KVP_kV", F8, "DICOM (0018,0060), peak tube voltage.", minimum=0),
    Column("ConvolutionKernel", STR, "DICOM (0018,1210), values joined by a backslash."),
    Column("ContrastBolusAgent", STR, "DICOM (0018,0010)."),
    Column("SliceThickness_mm", F8, "DICOM (0018,0050)."),
    Column("SeriesNumber", I4, "DICOM (0020,0011)."),
    Column("FrameOfReferenceUID", STR, "DICOM (0020,0052)."),
    Column("TransferSyntaxUID", STR, "DICOM (0002,0010)."),
    Column("PhotometricInterpretation", STR, "DICOM (0028,0004)."),
)
