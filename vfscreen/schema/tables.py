"""Every column of every table, declared once.

The Arrow schemas, the checks at the write, the DuckDB views and docs/data-dictionary.md follow from here.
Belongs here: names, types, limits, descriptions. Does not belong here: how a value is computed.
"""

from __future__ import annotations

import pyarrow as pa

from vfscreen.errors import FileState, ReasonCode, Stage, State
from vfscreen.schema.columns import Column, Table
from vfscreen.schema.film_columns import FILM_COLUMNS, FILM_HEADERS, FILM_SPACING_HEADERS, VERTEBRA_PX_COLUMNS
from vfscreen.schema.names import (
    KEYPOINTS,
    LEVELS,
    SCREENED_MODALITIES,
    CalibrationKind,
    ContrastPhase,
    DeformityType,
    DensityCategory,
    DensityReason,
    FocalLesion,
)

_STR = pa.string()
_F8 = pa.float64()
_F4 = pa.float32()
_I4 = pa.int32()
_I8 = pa.int64()
_BOOL = pa.bool_()
_TIME = pa.timestamp("us", tz="UTC")
_VEC3 = pa.list_(pa.float64(), 3)

_REASONS = tuple(r.value for r in ReasonCode)
_ENDS = (State.SCREENED.value, State.REJECTED.value, State.FAILED.value)
_STAGES = tuple(s.value for s in Stage)

_SERIES_UID = Column("SeriesInstanceUID", _STR, "DICOM (0020,000E).", nullable=False)
_STUDY_UID = Column("StudyInstanceUID", _STR, "DICOM (0020,000D); empty string where the header has none.", False)
_PATIENT = Column(
    "patient_pseudonym",
    _STR,
    "Keyed HMAC-SHA256 of PatientID with IssuerOfPatientID; null where PatientID is missing. "
    "The key is never in the lake.",
)
_REASON = Column("reason_code", _STR, "Why the item is not screened; null where it is.", values=_REASONS)
_STAGE = Column("stage", _STR, "The step at which the item left the chain; null where it passed.", values=_STAGES)
_MESSAGE = Column("message", _STR, "The reason in words, with the numbers that decided.")
_RELEASE = Column("model_release", _STR, "Name and content hash of the weights and of the measuring code.", False)
_FINGERPRINT = Column(
    "content_fingerprint", _STR, "Hash over the series' instances (path, size, modification): changes with them.", False
)
_RUN = Column("run_id", _STR, "The sweep that wrote the row.", False)
_SHARD = Column("shard_id", _STR, "The shard (group of studies) that wrote the row.", False)

_FILM_COUNT = Column(
    "film_count", _I4, "Radiographs: films of the series, each once; null for other modalities.", minimum=0
)

# Headers that are copied from the instances, in DICOM's spelling. Missing stays null.
HEADER_COLUMNS: tuple[Column, ...] = (
    Column("AccessionNumber", _STR, "DICOM (0008,0050), as keyed pseudonym."),
    Column("SOPClassUID", _STR, "DICOM (0008,0016)."),
    Column("Modality", _STR, "DICOM (0008,0060)."),
    Column("ImageType", _STR, "DICOM (0008,0008), values joined by a backslash."),
    Column("StudyDate", _STR, "DICOM (0008,0020), YYYYMMDD as found."),
    Column("SeriesDescription", _STR, "DICOM (0008,103E). Free text: may hold what a site typed."),
    Column("StudyDescription", _STR, "DICOM (0008,1030)."),
    Column("BodyPartExamined", _STR, "DICOM (0018,0015)."),
    Column("Manufacturer", _STR, "DICOM (0008,0070)."),
    Column("ManufacturerModelName", _STR, "DICOM (0008,1090)."),
    Column("InstitutionName", _STR, "DICOM (0008,0080): the site."),
    Column("StationName", _STR, "DICOM (0008,1010)."),
    Column("PatientSex", _STR, "DICOM (0010,0040): M, F, O; null where missing."),
    Column(
        "PatientAge_years",
        _F8,
        "DICOM (0010,1010) in years, else from birth and study date; null where neither.",
        minimum=0,
        maximum=150,
    ),
    Column("PatientPosition", _STR, "DICOM (0018,5100), for example HFS."),
    Column("KVP_kV", _F8, "DICOM (0018,0060), peak tube voltage.", minimum=0),
    Column("ConvolutionKernel", _STR, "DICOM (0018,1210), values joined by a backslash."),
    Column("ContrastBolusAgent", _STR, "DICOM (0018,0010)."),
    Column("SliceThickness_mm", _F8, "DICOM (0018,0050)."),
    Column("SeriesNumber", _I4, "DICOM (0020,0011)."),
    Column("FrameOfReferenceUID", _STR, "DICOM (0020,0052)."),
    Column("TransferSyntaxUID", _STR, "DICOM (0002,0010)."),
    Column("PhotometricInterpretation", _STR, "DICOM (0028,0004)."),
)

FILES = Table(
    "files",
    "a file of the archive, or a member of a zip file",
    ("path", "member"),
    (
        Column("path", _STR, "Path inside the archive, '/' separated.", nullable=False),
        Column("member", _STR, "Name inside the zip file; empty string for a plain file.", nullable=False),
        Column("size_bytes", _I8, "Size.", nullable=False, minimum=0),
        Column(
            "modified",
            _STR,
            "Modification time in ns, or the object's ETag: a change means read again.",
            nullable=False,
        ),
        Column("file_state", _STR, "What the file is.", nullable=False, values=tuple(s.value for s in FileState)),
        Column("reason_code", _STR, "Why the file is not an instance; null where it is.", values=_REASONS),
        Column("message", _STR, "The reason in words."),
        Column("SOPInstanceUID", _STR, "DICOM (0008,0018)."),
        Column("SeriesInstanceUID", _STR, "DICOM (0020,000E)."),
        Column("StudyInstanceUID", _STR, "DICOM (0020,000D)."),
        _PATIENT,
        *HEADER_COLUMNS,
        Column("InstanceNumber", _I4, "DICOM (0020,0013)."),
        Column("AcquisitionNumber", _I4, "DICOM (0020,0012)."),
        Column("Rows", _I4, "DICOM (0028,0010)."),
        Column("Columns", _I4, "DICOM (0028,0011)."),
        Column("NumberOfFrames", _I4, "DICOM (0028,0008)."),
        Column("SamplesPerPixel", _I4, "DICOM (0028,0002)."),
        Column("BitsAllocated", _I4, "DICOM (0028,0100)."),
        Column("RescaleSlope", _F8, "DICOM (0028,1053), slope to HU."),
        Column("RescaleIntercept", _F8, "DICOM (0028,1052), intercept to HU."),
        Column("PixelSpacing_mm", pa.list_(_F8, 2), "DICOM (0028,0030): between rows, between columns."),
        Column("ImageOrientationPatient", pa.list_(_F8, 6), "DICOM (0020,0037)."),
        Column("ImagePositionPatient_mm", _VEC3, "DICOM (0020,0032), LPS mm."),
        Column("GantryDetectorTilt_deg", _F8, "DICOM (0018,1120)."),
        *FILM_HEADERS,
        *FILM_SPACING_HEADERS,
        Column("has_pixel_data", _BOOL, "Whether the instance carries pixel data."),
        Column(
            "frames_json", _STR, "Multi-frame only: position, orientation, spacing, rescale of each frame, as JSON."
        ),
    ),
    version=2,
)

MANIFEST = Table(
    "manifest",
    "a DICOM series of the archive, as the headers describe it",
    ("StudyInstanceUID", "SeriesInstanceUID"),
    (
        _SERIES_UID,
        _STUDY_UID,
        _PATIENT,
        _FINGERPRINT,
        *HEADER_COLUMNS,
        Column("instance_count", _I4, "Files that belong to the series, duplicates included.", False, minimum=1),
        Column("used_instance_count", _I4, "Files of the stack that is screened.", minimum=0),
        Column("duplicate_instance_count", _I4, "Further files with a SOPInstanceUID already seen.", minimum=0),
        Column(
            "left_out_instance_count", _I4, "Files outside the leading stack (a localizer among them, say).", minimum=0
        ),
        Column("slice_count", _I4, "Slices (or frames) of the stack.", minimum=0),
        _FILM_COUNT,
        Column("Rows", _I4, "DICOM (0028,0010) of the stack."),
        Column("Columns", _I4, "DICOM (0028,0011) of the stack."),
        Column("row_spacing_mm", _F8, "Distance between rows.", minimum=0),
        Column("column_spacing_mm", _F8, "Distance between columns.", minimum=0),
        Column("slice_spacing_mm", _F8, "Median distance of slice positions projected on the normal.", minimum=0),
        Column("slice_spacing_deviation_mm", _F8, "Largest deviation of one distance from the median.", minimum=0),
        Column("coverage_mm", _F8, "Length of the stack along its normal.", minimum=0),
        Column("superior_mm", _F8, "Highest z of the stack, LPS mm."),
        Column("inferior_mm", _F8, "Lowest z of the stack, LPS mm."),
        Column("field_of_view_mm", _F8, "Smaller side of the slices.", minimum=0),
        Column("orientation", _STR, "Plane of the slices.", values=("axial", "coronal", "sagittal", "oblique")),
        Column("tilt_deg", _F8, "Angle between the stacking direction and the slice normal.", minimum=0, maximum=90),
        Column("is_uniform", _BOOL, "Slice distances agree within the tolerance."),
        Column("has_gaps", _BOOL, "At least one slice is missing."),
        Column("has_duplicate_positions", _BOOL, "At least two slices share a position."),
        Column("is_sheared", _BOOL, "A gantry tilt above the tolerance."),
        Column("selected", _BOOL, "Whether the series goes into the screening chain.", nullable=False),
        _STAGE,
        _REASON,
        _MESSAGE,
    ),
)

SERIES = Table(
    "series",
    "a series that reached its end: screened, rejected or failed, by one model release",
    ("StudyInstanceUID", "SeriesInstanceUID", "content_fingerprint", "model_release"),
    (
        _SERIES_UID,
        _STUDY_UID,
        _PATIENT,
        _FINGERPRINT,
        _RELEASE,
        _RUN,
        _SHARD,
        Column(
            "state",
            _STR,
            "Where the series ended.",
            nullable=False,
            values=_ENDS,
        ),
        _STAGE,
        _REASON,
        _MESSAGE,
        *HEADER_COLUMNS,
        Column("slice_count", _I4, "Slices of the volume.", minimum=0),
        _FILM_COUNT,
        Column("lateral_film_count", _I4, "Of its films those seen as lateral; null on CT.", minimum=0),
        Column("slice_spacing_mm", _F8, "Distance between slices.", minimum=0),
        Column("row_spacing_mm", _F8, "Distance between rows.", minimum=0),
        Column("column_spacing_mm", _F8, "Distance between columns.", minimum=0),
        Column("centreline_length_mm", _F8, "Length of the spine centreline that was located.", minimum=0),
        Column("vertebra_count", _I4, "Vertebrae found, truncated ones included.", minimum=0),
        Column("graded_vertebra_count", _I4, "Vertebrae measured and graded.", minimum=0),
        Column("level_certain", _BOOL, "Whether something in view fixes the numbering of the levels."),
        Column("max_genant_grade", _I4, "Highest adjusted grade; null where none was graded.", minimum=0, maximum=3),
        Column(
            "sdi",
            _I4,
            "Spinal deformity index over T4-L4; null where none of them was assessed.",
            minimum=0,
            maximum=39,
        ),
        Column("sdi_levels_assessed", pa.list_(_STR), "Levels that went into the SDI."),
        Column("patient_fracture_probability", _F8, "P(at least one vertebra of grade >= 1).", minimum=0, maximum=1),
        Column("patient_grade2_probability", _F8, "P(at least one vertebra of grade >= 2).", minimum=0, maximum=1),
        Column(
            "contrast_phase",
            _STR,
            "Intravenous contrast as the pixels show it; null where no vessel or kidney was seen.",
            values=tuple(p.value for p in ContrastPhase),
        ),
        Column("contrast_phase_probability", _F8, "Probability of that phase.", minimum=0, maximum=1),
        Column(
            "contrast_header_disagrees",
            _BOOL,
            "Whether ContrastBolusAgent says otherwise than the pixels (an agent without enhancement, enhancement "
            "without an agent); null where the pixels cannot tell.",
        ),
        Column(
            "density_reference_hu",
            _F8,
            "Raw trabecular attenuation of L1, else the mean of the declared fall-back levels; null where none is "
            "soundly measured.",
        ),
        Column(
            "density_reference_hu_corrected",
            _F8,
            "The same, corrected; null where a correction that is needed is unknown.",
        ),
        Column("density_reference_levels", pa.list_(_STR), "['L1'], or the fall-back levels; empty where none."),
        Column(
            "density_category",
            _STR,
            "Corrected reference against the site's thresholds; null without one. Cannot rule out low BMD.",
            values=tuple(c.value for c in DensityCategory),
        ),
        Column("calibration_kind", _STR, "How HU became mg/cm3.", values=tuple(k.value for k in CalibrationKind)),
        Column("overlay_path", _STR, "Overlay picture inside the lake; null where none was drawn."),
        Column("seconds_read", _F8, "Reading and decoding time.", minimum=0),
        Column("seconds_inference", _F8, "Time in the screening chain.", minimum=0),
    ),
)

VERTEBRAE = Table(
    "vertebrae",
    "a vertebra found on a series by one model release",
    ("StudyInstanceUID", "SeriesInstanceUID", "content_fingerprint", "model_release", "vertebra_index"),
    (
        _SERIES_UID,
        _STUDY_UID,
        _PATIENT,
        _FINGERPRINT,
        _RELEASE,
        _RUN,
        _SHARD,
        Column(
            "vertebra_index",
            _I4,
            "Position in the column, 0 at the top; runs on over the films of a series.",
            False,
            minimum=0,
        ),
        Column("modality", _STR, "Modality of its series.", False, values=SCREENED_MODALITIES),
        Column(
            "height_calibrated",
            _BOOL,
            "Whether heights are known in mm; on a film without calibrated spacing they are not, ratios are.",
            False,
        ),
        Column("vertebra_level", _STR, "Anatomical level; null where the labelling could not decide.", values=LEVELS),
        Column("level_probability", _F8, "Probability of that level given the whole column.", minimum=0, maximum=1),
        Column("level_certain", _BOOL, "Whether something in view fixes the numbering.", False),
        Column("truncated", _BOOL, "Cut by the edge of the volume or film: not measured, not graded.", False),
        Column("detection_probability", _F8, "Confidence that this is a vertebra.", minimum=0, maximum=1),
        Column("reason_code", _STR, "Why heights and grades are null; null where they are not.", values=_REASONS),
        Column("centre_lps_mm", _VEC3, "Centre of the body, LPS mm; null on films."),
        *(Column(f"{n}_lps_mm", _VEC3, f"Key point {n.replace('_', ' ')}, LPS mm; null on films.") for n in KEYPOINTS),
        *(
            Column(f"{n}_sd_mm", _F8, f"Standard deviation of key point {n.replace('_', ' ')}.", minimum=0)
            for n in KEYPOINTS
        ),
        *(
            column
            for part in ("anterior", "middle", "posterior")
            for column in (
                Column(
                    f"{part}_height_mm", _F8, f"{part.capitalize()} body height, a 3D distance.", minimum=0, maximum=100
                ),
                Column(f"{part}_height_sd_mm", _F8, f"Standard deviation of the {part} height.", minimum=0),
            )
        ),
        *VERTEBRA_PX_COLUMNS,
        Column("height_loss_ratio_raw", _F8, "1 - min/max of the three heights (Zakharov 2023).", minimum=0, maximum=1),
        Column(
            "height_loss_ratio_adjusted", _F8, "Loss against the heights expected at that level.", minimum=0, maximum=1
        ),
        Column("genant_grade_raw", _I4, "Grade of the raw loss.", minimum=0, maximum=3),
        Column("genant_grade", _I4, "Headline grade: of the adjusted loss.", minimum=0, maximum=3),
        Column("deformity_type", _STR, "Genant's shape.", values=tuple(d.value for d in DeformityType)),
        Column("fracture_probability", _F8, "P(grade >= 1).", minimum=0, maximum=1),
        Column("grade2_probability", _F8, "P(grade >= 2).", minimum=0, maximum=1),
        Column("grade3_probability", _F8, "P(grade >= 3).", minimum=0, maximum=1),
        Column("fracture_score", _F4, "The network's own fracture score, uncalibrated.", minimum=0, maximum=1),
        Column("trabecular_hu_mean", _F8, "Mean HU of the trabecular region, raw, as measured."),
        Column("trabecular_hu_median", _F8, "Median HU of the region."),
        Column("trabecular_hu_sd", _F8, "Standard deviation of the region's voxels, HU: texture and noise.", minimum=0),
        Column("trabecular_volume_mm3", _F8, "Volume of the region.", minimum=0),
        Column(
            "density_valid",
            _BOOL,
            "Whether the value may be relied on: no reason against it. Null where no region was measured.",
        ),
        Column(
            "density_reasons",
            pa.list_(_STR),
            "Why not; empty where nothing speaks against it.",
            values=tuple(r.value for r in DensityReason),
        ),
        Column("kvp_correction_hu", _F8, "What to add for the tube voltage; null where unknown."),
        Column("contrast_correction_hu", _F8, "What to add for intravenous contrast; null where unknown."),
        Column("kernel_correction_hu", _F8, "What to add for the kernel; null where unknown."),
        Column(
            "trabecular_hu_corrected",
            _F8,
            "Mean with the corrections added; null where one that is needed is unknown.",
        ),
        Column("bmd_mg_cm3", _F8, "Calibrated density of the region; null without calibration."),
        Column("bmd_sd_mg_cm3", _F8, "Its standard deviation, from calibration and sampling.", minimum=0),
        Column(
            "focal_lesion_flag",
            _STR,
            "Stands out from the patient's own vertebrae: for review, not a diagnosis. Null where not assessed.",
            values=tuple(f.value for f in FocalLesion),
        ),
    ),
)

FILMS = Table(
    "films",
    "an image of a radiograph series that reached its end, by one model release",
    ("StudyInstanceUID", "SeriesInstanceUID", "content_fingerprint", "model_release", "SOPInstanceUID"),
    (
        Column("SOPInstanceUID", _STR, "DICOM (0008,0018).", nullable=False),
        _SERIES_UID,
        _STUDY_UID,
        _PATIENT,
        _FINGERPRINT,
        _RELEASE,
        _RUN,
        _SHARD,
        Column("state", _STR, "Where the film ended.", nullable=False, values=_ENDS),
        _STAGE,
        _REASON,
        _MESSAGE,
        *FILM_COLUMNS,
    ),
)

RUNS = Table(
    "runs",
    "a sweep",
    ("run_id",),
    (
        _RUN,
        Column("started_at", _TIME, "Start.", False),
        Column("finished_at", _TIME, "End; null while it runs or where it was killed."),
        Column("archive", _STR, "Archive URL.", False),
        _RELEASE,
        Column("vfscreen_version", _STR, "Version of this program.", False),
        Column("settings_json", _STR, "The validated settings, without secrets.", False),
        Column("shards_planned", _I4, "Shards this run set out to do.", minimum=0),
        Column("shards_done", _I4, "Shards with a receipt at its end.", minimum=0),
        Column("outcome", _STR, "How it ended.", values=("completed", "failed", "stopped")),
        Column("message", _STR, "Why it failed or stopped."),
    ),
)

RECEIPTS = Table(
    "receipts",
    "a shard that landed whole",
    ("shard_id",),
    (
        _SHARD,
        _RUN,
        _RELEASE,
        Column("finished_at", _TIME, "When the receipt was written: after every file it names.", False),
        Column("series_count", _I4, "Series of the shard.", False, minimum=0),
        Column("screened_count", _I4, "Of them screened.", False, minimum=0),
        Column("rejected_count", _I4, "Of them rejected.", False, minimum=0),
        Column("failed_count", _I4, "Of them failed.", False, minimum=0),
        Column("vertebra_count", _I4, "Rows in the shard's vertebrae file.", False, minimum=0),
        Column("series_path", _STR, "The shard's series file inside the lake.", False),
        Column("series_sha256", _STR, "Its hash.", False),
        Column("series_schema", _STR, "Hash of its columns and types: files that share it are read as one.", False),
        Column("vertebrae_path", _STR, "The shard's vertebrae file inside the lake.", False),
        Column("vertebrae_sha256", _STR, "Its hash.", False),
        Column("vertebrae_schema", _STR, "Hash of its columns and types.", False),
        Column("film_count", _I4, "Rows in the shard's films file; null before films were screened.", minimum=0),
        Column("films_path", _STR, "The shard's films file inside the lake; null where it has no film."),
        Column("films_sha256", _STR, "Its hash."),
        Column("films_schema", _STR, "Hash of its columns and types."),
    ),
)

TABLES: tuple[Table, ...] = (FILES, MANIFEST, SERIES, FILMS, VERTEBRAE, RUNS, RECEIPTS)
