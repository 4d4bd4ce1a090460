"""Tables of the index: what lies in the archive, as its headers describe it.

Belongs here: FILES and MANIFEST. Does not belong here: what screening finds (`result_tables`).
"""

from __future__ import annotations

import pyarrow as pa

from vfscreen.errors import FileState
from vfscreen.schema.columns import Column, Table
from vfscreen.schema.film_columns import FILM_HEADERS, FILM_SPACING_HEADERS
from vfscreen.schema.shared_columns import (
    BOOL,
    F8,
    FILM_COUNT,
    FINGERPRINT,
    HEADER_COLUMNS,
    I4,
    I8,
    MESSAGE,
    PATIENT,
    REASON,
    REASONS,
    SERIES_UID,
    STAGE,
    STR,
    STUDY_UID,
    VEC3,
)

FILES = Table(
    "files",
    "a file of the archive, or a member of a zip file",
    ("path", "member"),
    (
        Column("path", STR, "Path inside the archive, '/' separated.", nullable=False),
        Column("member", STR, "Name inside the zip file; empty string for a plain file.", nullable=False),
        Column("size_bytes", I8, "Size.", nullable=False, minimum=0),
        Column(
            "modified",
            STR,
            "Modification time in ns, or the object's ETag: a change means read again.",
            nullable=False,
        ),
        Column("file_state", STR, "What the file is.", nullable=False, values=tuple(s.value for s in FileState)),
        Column("reason_code", STR, "Why the file is not an instance; null where it is.", values=REASONS),
        Column("message", STR, "The reason in words."),
        Column("SOPInstanceUID", STR, "DICOM (0008,0018)."),
        Column("SeriesInstanceUID", STR, "DICOM (0020,000E)."),
        Column("StudyInstanceUID", STR, "DICOM (0020,000D)."),
        PATIENT,
        *HEADER_COLUMNS,
        Column("InstanceNumber", I4, "DICOM (0020,0013)."),
        Column("AcquisitionNumber", I4, "DICOM (0020,0012)."),
        Column("Rows", I4, "DICOM (0028,0010)."),
        Column("Columns", I4, "DICOM (0028,0011)."),
        Column("NumberOfFrames", I4, "DICOM (0028,0008)."),
        Column("SamplesPerPixel", I4, "DICOM (0028,0002)."),
        Column("BitsAllocated", I4, "DICOM (0028,0100)."),
        Column("RescaleSlope", F8, "DICOM (0028,1053), slope to HU."),
        Column("RescaleIntercept", F8, "DICOM (0028,1052), intercept to HU."),
        Column("PixelSpacing_mm", pa.list_(F8, 2), "DICOM (0028,0030): between rows, between columns."),
        Column("ImageOrientationPatient", pa.list_(F8, 6), "DICOM (0020,0037)."),
        Column("ImagePositionPatient_mm", VEC3, "DICOM (0020,0032), LPS mm."),
        Column("GantryDetectorTilt_deg", F8, "DICOM (0018,1120)."),
        *FILM_HEADERS,
        *FILM_SPACING_HEADERS,
        Column("has_pixel_data", BOOL, "Whether the instance carries pixel data."),
        Column("frames_json", STR, "Multi-frame only: position, orientation, spacing, rescale of each frame, as JSON."),
    ),
    version=2,
)

MANIFEST = Table(
    "manifest",
    "a DICOM series of the archive, as the headers describe it",
    ("StudyInstanceUID", "SeriesInstanceUID"),
    (
        SERIES_UID,
        STUDY_UID,
        PATIENT,
        FINGERPRINT,
        *HEADER_COLUMNS,
        Column("instance_count", I4, "Files that belong to the series, duplicates included.", False, minimum=1),
        Column("used_instance_count", I4, "Files of the stack that is screened.", minimum=0),
        Column("duplicate_instance_count", I4, "Further files with a SOPInstanceUID already seen.", minimum=0),
        Column(
            "left_out_instance_count", I4, "Files outside the leading stack (a localizer among them, say).", minimum=0
        ),
        Column("slice_count", I4, "Slices (or frames) of the stack.", minimum=0),
        FILM_COUNT,
        Column("Rows", I4, "DICOM (0028,0010) of the stack."),
        Column("Columns", I4, "DICOM (0028,0011) of the stack."),
        Column("row_spacing_mm", F8, "Distance between rows.", minimum=0),
        Column("column_spacing_mm", F8, "Distance between columns.", minimum=0),
        Column("slice_spacing_mm", F8, "Median distance of slice positions projected on the normal.", minimum=0),
        Column("slice_spacing_deviation_mm", F8, "Largest deviation of one distance from the median.", minimum=0),
        Column("coverage_mm", F8, "Length of the stack along its normal.", minimum=0),
        Column("superior_mm", F8, "Highest z of the stack, LPS mm."),
        Column("inferior_mm", F8, "Lowest z of the stack, LPS mm."),
        Column("field_of_view_mm", F8, "Smaller side of the slices.", minimum=0),
        Column("orientation", STR, "Plane of the slices.", values=("axial", "coronal", "sagittal", "oblique")),
        Column("tilt_deg", F8, "Angle between the stacking direction and the slice normal.", minimum=0, maximum=90),
        Column("is_uniform", BOOL, "Slice distances agree within the tolerance."),
        Column("has_gaps", BOOL, "At least one slice is missing."),
        Column("has_duplicate_positions", BOOL, "At least two slices share a position."),
        Column("is_sheared", BOOL, "A gantry tilt above the tolerance."),
        Column("selected", BOOL, "Whether the series goes into the screening chain.", nullable=False),
        STAGE,
        REASON,
        MESSAGE,
    ),
)
