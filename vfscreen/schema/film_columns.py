"""Columns that only radiographs fill: an image's headers, what it shows, and key points in its pixels.

Belongs here: their declaration; `schema.tables` puts them into tables. Does not belong here: how a value is computed.
"""

from __future__ import annotations

import pyarrow as pa

from vfscreen.schema.columns import Column
from vfscreen.schema.names import FILM_MODALITIES, KEYPOINTS, BodyRegion, FilmView, PictureSide, SpacingSource

_STR = pa.string()
_F8 = pa.float64()
_I4 = pa.int32()
_BOOL = pa.bool_()
_XY = pa.list_(pa.float64(), 2)

FILM_HEADERS: tuple[Column, ...] = (
    Column("ViewPosition", _STR, "DICOM (0018,5101), for example LL, RL, AP, PA; as found."),
    Column("PatientOrientation", _STR, "DICOM (0020,0020): where rows and columns run to, joined by a backslash."),
    Column("Laterality", _STR, "DICOM (0020,0060)."),
    Column("ImageLaterality", _STR, "DICOM (0020,0062)."),
    Column("PresentationIntentType", _STR, "DICOM (0008,0068): FOR PRESENTATION or FOR PROCESSING."),
    Column("BurnedInAnnotation", _STR, "DICOM (0028,0301): YES where text stands in the pixels."),
)
"""Headers of a film, copied from its instance as found; missing stays null."""

FILM_SPACING_HEADERS: tuple[Column, ...] = (
    Column("ImagerPixelSpacing_mm", pa.list_(_F8, 2), "DICOM (0018,1164): on the detector, between rows, columns."),
    Column(
        "PixelSpacingCalibrationType",
        _STR,
        "DICOM (0028,0A02): GEOMETRY or FIDUCIAL where PixelSpacing was corrected for magnification.",
    ),
    Column(
        "EstimatedRadiographicMagnificationFactor",
        _F8,
        "DICOM (0018,1114): distance of the source to the detector over that to the patient.",
    ),
)

FILM_COLUMNS: tuple[Column, ...] = (
    Column("Modality", _STR, "DICOM (0008,0060).", values=FILM_MODALITIES),
    Column("InstanceNumber", _I4, "DICOM (0020,0013)."),
    Column("Rows", _I4, "DICOM (0028,0010).", minimum=0),
    Column("Columns", _I4, "DICOM (0028,0011).", minimum=0),
    Column("row_spacing_mm", _F8, "Distance between rows; of the patient only where it is calibrated.", minimum=0),
    Column("column_spacing_mm", _F8, "Distance between columns, likewise.", minimum=0),
    Column(
        "spacing_source",
        _STR,
        "Whose millimetres the spacing is: of the patient, or of the detector's face; null without spacing.",
        values=tuple(s.value for s in SpacingSource),
    ),
    Column(
        "height_calibrated",
        _BOOL,
        "Whether heights on this film are given in mm: spacing_source is calibrated. Null where it could not be read.",
    ),
    Column("PhotometricInterpretation", _STR, "DICOM (0028,0004)."),
    Column("BodyPartExamined", _STR, "DICOM (0018,0015)."),
    *FILM_HEADERS,
    Column("view", _STR, "Direction of the beam as the pixels show it.", values=tuple(v.value for v in FilmView)),
    Column("view_probability", _F8, "Probability of that view.", minimum=0, maximum=1),
    Column(
        "view_header_disagrees",
        _BOOL,
        "Whether ViewPosition or PatientOrientation says another view than the pixels; null where they say none.",
    ),
    Column(
        "body_region",
        _STR,
        "What the pixels show of the body.",
        values=tuple(r.value for r in BodyRegion),
    ),
    Column("body_region_probability", _F8, "Probability of that region.", minimum=0, maximum=1),
    Column(
        "anterior_side",
        _STR,
        "Side of the stored picture to which the patient's front looks; null where not read.",
        values=tuple(s.value for s in PictureSide),
    ),
    Column("anterior_side_probability", _F8, "Probability of that side.", minimum=0, maximum=1),
    Column(
        "side_header_disagrees",
        _BOOL,
        "Whether PatientOrientation says another side than the pixels; null where either says none.",
    ),
    Column(
        "rotation_deg",
        _I4,
        "Quarter turns counter-clockwise by which the stored picture stands upright: 0, 90, 180 or 270.",
        minimum=0,
        maximum=270,
    ),
    Column("vertebra_count", _I4, "Vertebrae found on this film, truncated ones included.", minimum=0),
    Column("overlay_path", _STR, "Overlay picture inside the lake; null where none was drawn."),
)
"""What a row of FILMS says of its image besides keys and state."""

VERTEBRA_PX_COLUMNS: tuple[Column, ...] = (
    Column("SOPInstanceUID", _STR, "DICOM (0008,0018) of the film that shows it; null on CT."),
    Column("centre_px", _XY, "Films: centre of the body, [x, y] in the film's own pixels; null on CT."),
    *(Column(f"{n}_px", _XY, f"Films: key point {n.replace('_', ' ')}, [x, y] pixels.") for n in KEYPOINTS),
    *(
        Column(f"{n}_sd_px", _F8, f"Films: standard deviation of key point {n.replace('_', ' ')}, pixels.", minimum=0)
        for n in KEYPOINTS
    ),
    *(
        Column(f"{part}_height_px", _F8, f"Films: {part} body height, a distance in pixels.", minimum=0)
        for part in ("anterior", "middle", "posterior")
    ),
    Column(
        "fresh_probability",
        _F8,
        "Films: P(the fracture is fresh), by a research classifier that learned from simulated fractures; no finding. "
        "Null unless screening.fresh_fracture.enabled, on CT, and for what is not fractured.",
        minimum=0,
        maximum=1,
    ),
)
"""Columns of VERTEBRAE that only films fill."""
