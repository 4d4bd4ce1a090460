"""Typed errors and the closed list of reason codes.

Belongs here: every reason a file or a series can end as anything but screened, and the exceptions that
carry them. Does not belong here: the code that decides (ingest, screening) or that stores (lake).

Two kinds of failure (docs/ARCHITECTURE.md): of one item, which becomes a row with stage, reason code and
message (`ItemError`), and of the site, which stops the run (`SiteError`).
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a series ends. Every series has exactly one; `pending` only until a sweep reaches it."""

    SCREENED = "screened"
    REJECTED = "rejected"
    FAILED = "failed"
    PENDING = "pending"


class FileState(StrEnum):
    """What a file of the archive turned out to be."""

    INSTANCE = "instance"  # a DICOM instance that belongs to a series
    NOT_DICOM = "not_dicom"
    DICOMDIR = "dicomdir"  # a media directory: an index, not an instance
    CONTAINER = "container"  # a zip file whose members have rows of their own
    UNREADABLE = "unreadable"


class Stage(StrEnum):
    """The step at which an item left the chain."""

    SCAN = "scan"
    ACCEPT = "accept"
    SELECT = "select"
    READ = "read"
    DECODE = "decode"
    LOCATE = "locate"
    DETECT = "detect"
    MEASURE = "measure"
    WRITE = "write"
    WORKER = "worker"


class ReasonCode(StrEnum):
    """Closed list: add here, describe in `REASONS`, and the ledger, docs and checks follow."""

    # files
    NOT_DICOM = "not_dicom"
    EMPTY_FILE = "empty_file"
    HEADER_UNREADABLE = "header_unreadable"
    SERIES_UID_MISSING = "series_uid_missing"
    ZIP_UNREADABLE = "zip_unreadable"
    ZIP_MEMBER_ENCRYPTED = "zip_member_encrypted"
    FILE_UNREADABLE = "file_unreadable"
    # series, from the headers
    MODALITY_NOT_SUPPORTED = "modality_not_supported"
    NOT_AN_IMAGE = "not_an_image"
    LOCALIZER = "localizer"
    DERIVED_IMAGE = "derived_image"
    ORIENTATION_NOT_AXIAL = "orientation_not_axial"
    SLICES_TOO_THICK = "slices_too_thick"
    TOO_FEW_SLICES = "too_few_slices"
    COVERAGE_TOO_SHORT = "coverage_too_short"
    FIELD_OF_VIEW_TOO_SMALL = "field_of_view_too_small"
    MISSING_SLICES = "missing_slices"
    UNEVEN_SPACING = "uneven_spacing"
    DUPLICATE_POSITIONS = "duplicate_positions"
    MIXED_GEOMETRY = "mixed_geometry"
    GEOMETRY_MISSING = "geometry_missing"
    GANTRY_TILT = "gantry_tilt"
    PIXEL_DATA_MISSING = "pixel_data_missing"
    RESCALE_MISSING = "rescale_missing"
    PIXEL_FORMAT_NOT_SUPPORTED = "pixel_format_not_supported"
    NOT_BEST_SERIES = "not_best_series"
    FILMS_SWITCHED_OFF = "films_switched_off"
    FILM_TOO_SMALL = "film_too_small"
    FILM_TOO_LARGE = "film_too_large"
    FILM_SEVERAL_FRAMES = "film_several_frames"
    INSTANCE_UID_MISSING = "instance_uid_missing"
    # series, from the pixels
    TRANSFER_SYNTAX_NOT_SUPPORTED = "transfer_syntax_not_supported"
    DECODE_FAILED = "decode_failed"
    PIXEL_DATA_TRUNCATED = "pixel_data_truncated"
    HU_IMPLAUSIBLE = "hu_implausible"
    INSTANCE_UNREADABLE = "instance_unreadable"
    INPUT_CHANGED = "input_changed"
    SPINE_NOT_FOUND = "spine_not_found"
    VERTEBRAE_NOT_FOUND = "vertebrae_not_found"
    FILM_BLANK = "film_blank"
    FILM_MODELS_MISSING = "film_models_missing"
    VIEW_NOT_LATERAL = "view_not_lateral"
    REGION_NOT_SPINE = "region_not_spine"
    # vertebrae
    TRUNCATED = "truncated"
    LEVEL_NOT_GRADED = "level_not_graded"
    # the machinery
    OUT_OF_MEMORY = "out_of_memory"
    WORKER_DIED = "worker_died"
    TIMED_OUT = "timed_out"
    INTERNAL_ERROR = "internal_error"


REASONS: dict[ReasonCode, str] = {
    ReasonCode.NOT_DICOM: "The file is not DICOM.",
    ReasonCode.EMPTY_FILE: "The file has no bytes.",
    ReasonCode.HEADER_UNREADABLE: "The file says it is DICOM but its header cannot be parsed.",
    ReasonCode.SERIES_UID_MISSING: "A DICOM instance without SeriesInstanceUID belongs to no series.",
    ReasonCode.ZIP_UNREADABLE: "The zip file is damaged.",
    ReasonCode.ZIP_MEMBER_ENCRYPTED: "The zip member is encrypted.",
    ReasonCode.FILE_UNREADABLE: "The file could not be read (permissions, storage).",
    ReasonCode.MODALITY_NOT_SUPPORTED: "The modality is not one that is screened.",
    ReasonCode.NOT_AN_IMAGE: "The SOP class carries no image (report, segmentation, structure set, ...).",
    ReasonCode.LOCALIZER: "A localizer (scout) image.",
    ReasonCode.DERIVED_IMAGE: "A secondary capture or other image whose pixels are not HU of the patient.",
    ReasonCode.ORIENTATION_NOT_AXIAL: "A coronal, sagittal or oblique reformat where axial slices are asked.",
    ReasonCode.SLICES_TOO_THICK: "Slice spacing above the limit of the settings.",
    ReasonCode.TOO_FEW_SLICES: "Too few slices to hold a vertebra.",
    ReasonCode.COVERAGE_TOO_SHORT: "The stack is too short to hold a whole vertebra.",
    ReasonCode.FIELD_OF_VIEW_TOO_SMALL: "The field of view is too small to hold a vertebral body.",
    ReasonCode.MISSING_SLICES: "Positions along the normal have gaps: slices are missing.",
    ReasonCode.UNEVEN_SPACING: "Slice positions are not evenly spaced.",
    ReasonCode.DUPLICATE_POSITIONS: "Several slices claim the same position and cannot be told apart.",
    ReasonCode.MIXED_GEOMETRY: "Slices of different size, spacing or orientation without a leading stack.",
    ReasonCode.GEOMETRY_MISSING: "Position, orientation or pixel spacing is missing.",
    ReasonCode.GANTRY_TILT: "Slices are sheared against their normal by more than can be corrected.",
    ReasonCode.PIXEL_DATA_MISSING: "The instances carry no pixel data.",
    ReasonCode.RESCALE_MISSING: "Without rescale the pixels are not known to be HU.",
    ReasonCode.PIXEL_FORMAT_NOT_SUPPORTED: "Colour, float or bit-packed pixels.",
    ReasonCode.NOT_BEST_SERIES: "Another series of the study shows the same part of the spine better.",
    ReasonCode.FILMS_SWITCHED_OFF: "A radiograph; the settings screen none (films.enabled).",
    ReasonCode.FILM_TOO_SMALL: "The film has too few pixels to measure a vertebra on it: a thumbnail, a key image.",
    ReasonCode.FILM_TOO_LARGE: "The film has more pixels than the settings allow to be held in memory.",
    ReasonCode.FILM_SEVERAL_FRAMES: "A run of frames (cine, tomosynthesis, dual energy) where single films are asked.",
    ReasonCode.INSTANCE_UID_MISSING: "A film without SOPInstanceUID cannot be told from another.",
    ReasonCode.TRANSFER_SYNTAX_NOT_SUPPORTED: "No installed plug-in decodes this transfer syntax.",
    ReasonCode.DECODE_FAILED: "The pixel data could not be decoded.",
    ReasonCode.PIXEL_DATA_TRUNCATED: "The pixel data ends early.",
    ReasonCode.HU_IMPLAUSIBLE: "The pixel values cannot be HU.",
    ReasonCode.INSTANCE_UNREADABLE: "An instance of the series could not be read any more.",
    ReasonCode.INPUT_CHANGED: "A file changed between indexing and reading: index again.",
    ReasonCode.SPINE_NOT_FOUND: "The locator saw no vertebral column.",
    ReasonCode.VERTEBRAE_NOT_FOUND: "A column was located but no vertebra detected on it.",
    ReasonCode.FILM_BLANK: "Nothing but one shade: no exposure, or all of it behind the shutter.",
    ReasonCode.FILM_MODELS_MISSING: "A radiograph; this model release has no networks for radiographs.",
    ReasonCode.VIEW_NOT_LATERAL: "The film is not a lateral one: heights cannot be read from it.",
    ReasonCode.REGION_NOT_SPINE: "The film shows a part of the body without thoracic or lumbar spine.",
    ReasonCode.TRUNCATED: "The vertebra is cut by the edge of the volume and is not graded.",
    ReasonCode.LEVEL_NOT_GRADED: "A cervical vertebra: measured, but Genant's grades are not of the neck.",
    ReasonCode.OUT_OF_MEMORY: "The worker ran out of memory on this series.",
    ReasonCode.WORKER_DIED: "The worker process died on this study each time it was tried.",
    ReasonCode.TIMED_OUT: "The series took longer than the limit of the settings.",
    ReasonCode.INTERNAL_ERROR: "An unexpected error; the message has its type and text. Please report it.",
}


class VfscreenError(Exception):
    """Base of every error raised on purpose. The message names the remedy."""


class ItemError(VfscreenError):
    """One series (or file) cannot go on; it becomes a row, its neighbours are untouched."""

    def __init__(self, state: State, stage: Stage, reason: ReasonCode, message: str = "") -> None:
        self.state = state
        self.stage = stage
        self.reason = reason
        self.message = message or REASONS[reason]
        super().__init__(f"{stage}: {reason}: {self.message}")

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are pickled with the arguments of Exception.__init__, which are not ours; workers send them home.
        return _unpickled, (type(self), self.state, self.stage, self.reason, self.message)


def _unpickled(kind: type[ItemError], state: State, stage: Stage, reason: ReasonCode, message: str) -> ItemError:
    error = kind.__new__(kind)
    ItemError.__init__(error, state, stage, reason, message)
    return error


class Rejected(ItemError):
    """The input is sound but is not for screening (wrong kind, geometry, no spine)."""

    def __init__(self, stage: Stage, reason: ReasonCode, message: str = "") -> None:
        super().__init__(State.REJECTED, stage, reason, message)


class Failed(ItemError):
    """The input should have been screened and something broke."""

    def __init__(self, stage: Stage, reason: ReasonCode, message: str = "") -> None:
        super().__init__(State.FAILED, stage, reason, message)


class SiteError(VfscreenError):
    """The site is unwell; the run stops. Never swallowed by a worker."""


class StorageFull(SiteError):
    """The lake cannot take another byte."""


class LakeError(SiteError):
    """The lake is missing, unwritable or of another layout."""


class TooManyFailures(SiteError):
    """More series failed than the settings allow."""


class PlanOutdated(VfscreenError):
    """The index changed since the shard was planned; its studies stay pending for the next run."""


class SettingsError(VfscreenError):
    """A settings or cluster file is wrong; the message names the field."""


class WeightsError(VfscreenError):
    """A weight file does not match its card."""
