"""The FILES rows of one series -> its MANIFEST row: described by the headers, accepted or rejected with a reason.

Belongs here: what a CT series must be to be screened. Does not belong here: what a radiograph must be (`film_series`),
the geometry (`stacks`), the choice between series of a study (`select`), pixels (`decode`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from vfscreen.errors import ReasonCode
from vfscreen.ingest.film_series import describe_films, is_film_series
from vfscreen.ingest.instances import Problem, common_columns, settled
from vfscreen.ingest.stacks import Leading, Slice, Stack, is_localizer, leading_stack, slices_of, without_copies
from vfscreen.settings import AcceptSettings
from vfscreen.settings_films import FilmSettings

Row = Mapping[str, Any]

_NO_IMAGE_MODALITIES = frozenset(
    [
        "SR",
        "SEG",
        "RTSTRUCT",
        "RTPLAN",
        "RTRECORD",
        "PR",
        "KO",
        "DOC",
        "REG",
        "FID",
        "PLAN",
        "AU",
        "ECG",
        "EPS",
        "HD",
        "RESP",
        "RWV",
        "SMR",
        "SRF",
        "STAIN",
        "TG",
        "TEXTUREMAP",
    ]
)
_CT_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.2",  # CT
        "1.2.840.10008.5.1.4.1.1.2.1",  # enhanced CT
        "1.2.840.10008.5.1.4.1.1.2.2",  # legacy converted enhanced CT
    }
)
_NOT_HU = frozenset(
    [
        "MIP",
        "MINIP",
        "MAXIP",
        "PROJECTION",
        "VRT",
        "VR_3D",
        "SHADED",
        "VOLREN",
        "SCREENSAVE",
        "SCREEN_SAVE",
        "CAPTURE",
        "PASTED",
        "DOSE_INFO",
        "IODINE",
        "IODINE_NO_WATER",
        "WATER_IODINE",
        "EFF_ATOMIC_NUM",
        "Z_EFF",
        "Z_EFFECTIVE",
        "RHO",
        "ELECTRON_DENSITY",
        "SUBTRACTION",
        "PERFUSION",
        "CBF",
        "CBV",
        "MTT",
        "TTP",
        "TMAX",
        "PBV",
        "COLOR",
        "FUSION",
        "OVERLAY",
        "CALCIUM_SCORE",
        "HISTOGRAM",
        "GRAPH",
    ]
)
"""Values of ImageType whose pixels are not HU of the patient, or no slices of him. Averages and reformats are."""

_CLASS_ANGLE_DEG = 25.0
"""A stack is axial, coronal or sagittal up to this angle from the axis; oblique beyond."""

_MIXED_SHARE = 0.5


def describe_series(rows: Sequence[Row], accept: AcceptSettings, films: FilmSettings | None = None) -> dict[str, Any]:
    """MANIFEST row of a series, from the FILES rows of all its instances in any order. films: the defaults where None.

    `selected` is false and `stage`/`reason_code`/`message` are set where the series is rejected; an acceptable series
    has `selected` true until `select` has compared it with the others of its study.
    """
    instances, _ = without_copies(rows)
    if is_film_series(instances):
        return describe_films(rows, instances, films or FilmSettings())
    slices = slices_of(instances)
    leading = leading_stack(slices, accept.spacing_tolerance_mm)
    used = used_rows(leading, instances)
    row: dict[str, Any] = {
        **common_columns(rows, instances, used),
        "used_instance_count": len(used) if leading else 0,
        "left_out_instance_count": len(instances) - len(used) if leading else len(instances),
    }
    if leading is not None:
        row |= _geometry(leading.stack, accept)
    problem = _problem(used, slices, leading, accept)
    row |= settled(problem)
    if problem is None and leading is not None:
        row["message"] = _remark(leading, used, accept)
    return row


def used_rows(leading: Leading | None, instances: Sequence[Row]) -> list[Row]:
    """The FILES rows of the leading stack; all where there is none."""
    if leading is None:
        return list(instances)
    rows = {(s.row["path"], s.row["member"]): s.row for s in leading.stack.slices}
    return [rows[key] for key in sorted(rows)]


def orientation_of(stack: Stack) -> tuple[str, float]:
    """(axial, coronal, sagittal or oblique, angle in degrees to the nearest axis).

    Of the normal or of the stacking direction, whichever is nearer to an axis: a scan with a tilted gantry is axial.
    """
    names = ("sagittal", "coronal", "axial")
    step = stack.step_mm / np.linalg.norm(stack.step_mm)
    direction = max((stack.normal, step), key=lambda v: float(np.abs(v).max()))
    angle = float(np.degrees(np.arccos(min(1.0, float(np.abs(direction).max())))))
    return (names[int(np.abs(direction).argmax())] if angle <= _CLASS_ANGLE_DEG else "oblique"), angle


def _geometry(stack: Stack, accept: AcceptSettings) -> dict[str, Any]:
    rows, columns = stack.size
    row_spacing, column_spacing = stack.pixel_spacing_mm
    inferior, superior = stack.z_range_mm
    return {
        "slice_count": len(stack.slices),
        "Rows": rows,
        "Columns": columns,
        "row_spacing_mm": row_spacing,
        "column_spacing_mm": column_spacing,
        "slice_spacing_mm": stack.spacing_mm,
        "slice_spacing_deviation_mm": stack.deviation_mm,
        "coverage_mm": stack.coverage_mm,
        "superior_mm": superior,
        "inferior_mm": inferior,
        "field_of_view_mm": min(rows * row_spacing, columns * column_spacing),
        "orientation": orientation_of(stack)[0],
        "tilt_deg": stack.tilt_deg,
        "is_uniform": stack.is_even(accept.spacing_tolerance_mm),
        "has_gaps": stack.missing_count > 0,
        "has_duplicate_positions": stack.duplicate_count > 0,
        "is_sheared": stack.tilt_deg > accept.tilt_tolerance_deg,
    }


def _problem(
    used: Sequence[Row], slices: Sequence[Slice], leading: Leading | None, accept: AcceptSettings
) -> Problem | None:
    problem = _kind_problem(used, slices)
    if problem is not None:
        return problem
    if leading is None:
        missing = [n for n, get in _GEOMETRY.items() if all(get(s) is None for s in slices)]
        return ReasonCode.GEOMETRY_MISSING, f"no slice has sound {' and '.join(missing or _GEOMETRY)}"
    return _stack_problem(leading, slices, accept)


_GEOMETRY: dict[str, Callable[[Slice], object]] = {
    "ImagePositionPatient": lambda s: s.position_mm,
    "ImageOrientationPatient": lambda s: s.orientation,
    "PixelSpacing": lambda s: s.spacing_mm,
}


def _kind_problem(used: Sequence[Row], slices: Sequence[Slice]) -> Problem | None:
    """Whether the series is CT images in HU at all."""
    first = used[0]
    modality, sop_class = first["Modality"], first["SOPClassUID"]
    sized = [r for r in used if r["Rows"] and r["Columns"]]
    pixels = [r for r in used if r["has_pixel_data"]]
    if modality in _NO_IMAGE_MODALITIES or (not (sized or pixels) and sop_class not in _CT_CLASSES):
        return ReasonCode.NOT_AN_IMAGE, f"Modality {modality}, SOP class {sop_class}, {len(sized)} images"
    if modality != "CT":
        return ReasonCode.MODALITY_NOT_SUPPORTED, f"Modality {modality}; CT and radiographs are screened"
    if all(is_localizer(s.image_type) for s in slices):
        return ReasonCode.LOCALIZER, f"ImageType {first['ImageType']}, {len(slices)} image(s)"
    if sop_class not in _CT_CLASSES:
        return ReasonCode.DERIVED_IMAGE, f"SOP class {sop_class} is none of CT images"
    tokens = {t for r in used for t in (r["ImageType"] or "").upper().split("\\")}
    if not_hu := sorted(tokens & _NOT_HU):
        return ReasonCode.DERIVED_IMAGE, f"ImageType holds {', '.join(not_hu)}: not slices in HU"
    if len(pixels) < len(used) or not sized:
        return ReasonCode.PIXEL_DATA_MISSING, f"{len(used) - len(pixels)} of {len(used)} instances have no pixel data"
    for name, allowed in (
        ("SamplesPerPixel", {1}),
        ("BitsAllocated", {8, 16, 32}),
        ("PhotometricInterpretation", {"MONOCHROME1", "MONOCHROME2"}),
    ):
        if odd := sorted({str(r[name]) for r in used if r[name] not in allowed}):
            return ReasonCode.PIXEL_FORMAT_NOT_SUPPORTED, f"{name} is {', '.join(odd)}"
    chosen = {(r["path"], r["member"]) for r in used}
    own = [s for s in slices if (s.row["path"], s.row["member"]) in chosen]
    bare = sum(s.slope is None or s.intercept is None or s.slope == 0 for s in own)
    if bare:
        return ReasonCode.RESCALE_MISSING, f"{bare} of {len(own)} slices have no RescaleSlope and RescaleIntercept"
    return None


def _stack_problem(leading: Leading, slices: Sequence[Slice], accept: AcceptSettings) -> Problem | None:
    stack, count = leading.stack, len(leading.stack.slices)
    localizers = sum(is_localizer(s.image_type) for s in slices)
    foreign = leading.other_count - localizers
    if foreign > _MIXED_SHARE * (len(slices) - localizers):
        return (
            ReasonCode.MIXED_GEOMETRY,
            f"the largest stack has {count} of {len(slices)} slices; {foreign} differ in size, spacing or orientation",
        )
    if count < accept.slice_count_min:
        return ReasonCode.TOO_FEW_SLICES, f"{count} slices; at least {accept.slice_count_min} are asked"
    orientation, angle = orientation_of(stack)
    if orientation not in accept.orientations:
        return ReasonCode.ORIENTATION_NOT_AXIAL, f"{orientation} slices, {angle:.1f} degrees off the nearest axis"
    if stack.duplicate_count:
        return (
            ReasonCode.DUPLICATE_POSITIONS,
            f"{stack.duplicate_count} of {count} slices share a position with another; acquisition, phase and "
            "image type do not tell them apart",
        )
    spacing, deviation = stack.spacing_mm or 0.0, stack.deviation_mm or 0.0
    if stack.missing_count:
        return (
            ReasonCode.MISSING_SLICES,
            f"{stack.missing_count} slices are missing: distances up to {stack.distances_mm.max():.3f} mm where the "
            f"median is {spacing:.3f} mm",
        )
    if not stack.is_even(accept.spacing_tolerance_mm):
        return (
            ReasonCode.UNEVEN_SPACING,
            f"distances from {stack.distances_mm.min():.3f} to {stack.distances_mm.max():.3f} mm, {deviation:.3f} mm "
            f"off the median; {accept.spacing_tolerance_mm} mm or 2 % is allowed",
        )
    if stack.tilt_deg > accept.tilt_max_deg:
        return (
            ReasonCode.GANTRY_TILT,
            f"slices are sheared by {stack.tilt_deg:.1f} degrees; up to {accept.tilt_max_deg} is corrected",
        )
    if stack.drift_mm > max(accept.spacing_tolerance_mm, 0.5 * spacing):
        return ReasonCode.UNEVEN_SPACING, f"slices lie up to {stack.drift_mm:.2f} mm off an even stack"
    if spacing > accept.slice_spacing_max_mm:
        return (
            ReasonCode.SLICES_TOO_THICK,
            f"slices every {spacing:.2f} mm; up to {accept.slice_spacing_max_mm} mm is screened",
        )
    if stack.coverage_mm < accept.coverage_min_mm:
        return (
            ReasonCode.COVERAGE_TOO_SHORT,
            f"{stack.coverage_mm:.1f} mm; at least {accept.coverage_min_mm} mm is asked",
        )
    rows, columns = stack.size
    field_of_view = min(rows * stack.pixel_spacing_mm[0], columns * stack.pixel_spacing_mm[1])
    if field_of_view < accept.field_of_view_min_mm:
        return (
            ReasonCode.FIELD_OF_VIEW_TOO_SMALL,
            f"{field_of_view:.1f} mm; at least {accept.field_of_view_min_mm} mm is asked",
        )
    return None


def _remark(leading: Leading, used: Sequence[Row], accept: AcceptSettings) -> str | None:
    """What a reader should know of an accepted series."""
    stack = leading.stack
    remarks = []
    if leading.other_count or leading.alternative_count:
        remarks.append(
            f"{len(stack.slices)} slices of the leading stack; left out: {leading.other_count} of another kind, "
            f"{leading.alternative_count} of other acquisitions or phases"
        )
    if stack.tilt_deg > accept.tilt_tolerance_deg:
        remarks.append(f"gantry tilt of {stack.tilt_deg:.1f} degrees is kept in the affine")
    stated = abs(used[0]["GantryDetectorTilt_deg"] or 0.0)
    if stated > 1.0 and abs(stated - stack.tilt_deg) > 1.0:
        remarks.append(
            f"GantryDetectorTilt says {stated:.1f} degrees, slice positions say {stack.tilt_deg:.1f}: positions count"
        )
    return "; ".join(remarks) or None
