"""Results as rows of the tables SERIES and VERTEBRAE, checked against their columns.

Belongs here: which value goes into which column. Does not belong here: what the columns are (schema.tables), how a
value came about (chain), writing (lake).

Two sweeps of the same archive by the same release give the same rows but for `run_id`, `shard_id` and the `seconds_*`
columns, which say how the row came to be, not what was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vfscreen.density.result import SeriesDensity, VertebraDensity
from vfscreen.errors import Failed, ItemError, ReasonCode, Stage, State
from vfscreen.morphometry.heights import PARTS
from vfscreen.schema.columns import Table
from vfscreen.schema.names import KEYPOINTS
from vfscreen.schema.tables import MANIFEST, SERIES, VERTEBRAE
from vfscreen.screening.film_result import FilmVertebra
from vfscreen.screening.result import PatientSummary, ScreeningResult, Vertebra

Row = dict[str, Any]

_SERIES_COPIED = tuple(c.name for c in SERIES.columns if c.name in MANIFEST.by_name)
VERTEBRAE_KEYS = ("SeriesInstanceUID", "StudyInstanceUID", "patient_pseudonym", "content_fingerprint")
_WRITER_FILLS = frozenset({"run_id", "shard_id", "model_release"})

RUN_DEPENDENT = ("run_id", "shard_id", "seconds_read", "seconds_inference")
"""Columns in which two sweeps of the same input by the same release may differ."""


def left_out_series_row(manifest_row: Mapping[str, Any]) -> Row:
    """Row of a series that the index did not select, with the index's reason."""
    return {**copied_to_series(manifest_row), "state": State.REJECTED.value}


def ended_series_row(
    manifest_row: Mapping[str, Any],
    error: ItemError,
    seconds_read: float | None = None,
    seconds_inference: float | None = None,
) -> Row:
    """Row of a series that was to be screened and was rejected, or failed, on the way."""
    return {
        **copied_to_series(manifest_row),
        "state": error.state.value,
        "stage": error.stage.value,
        "reason_code": error.reason.value,
        "message": error.message,
        "seconds_read": seconds_read,
        "seconds_inference": seconds_inference,
    }


def screened_rows(
    manifest_row: Mapping[str, Any],
    result: ScreeningResult,
    overlay_path: str | None = None,
    message: str | None = None,
    seconds_read: float | None = None,
    seconds_inference: float | None = None,
) -> tuple[Row, list[Row]]:
    """SERIES row and VERTEBRAE rows of a screened series, without the columns that the lake fills in.

    Raises Failed (measure, internal_error) for values outside their columns' limits: they must not stop a whole shard.
    """
    series = {
        **copied_to_series(manifest_row),
        "state": State.SCREENED.value,
        "message": message,
        "centreline_length_mm": float(result.centreline.length_mm),
        **summary_values(result.vertebrae, result.patient),
        **series_density_values(result.density),
        "overlay_path": overlay_path,
        "seconds_read": seconds_read,
        "seconds_inference": seconds_inference,
    }
    keys = {name: manifest_row.get(name) for name in VERTEBRAE_KEYS}
    keys |= {"modality": manifest_row.get("Modality"), "height_calibrated": True}
    vertebrae = [{**keys, "vertebra_index": i, **vertebra_values(v)} for i, v in enumerate(result.vertebrae)]
    check_rows(SERIES, [series])
    check_rows(VERTEBRAE, vertebrae)
    return series, vertebrae


def summary_values(vertebrae: Sequence[Vertebra | FilmVertebra], patient: PatientSummary) -> Row:
    """Columns of SERIES that speak of its vertebrae as a whole."""
    return {
        "vertebra_count": len(vertebrae),
        "graded_vertebra_count": sum(v.genant_grade is not None for v in vertebrae),
        "level_certain": bool(vertebrae) and all(v.level_certain for v in vertebrae),
        "max_genant_grade": patient.max_genant_grade,
        "sdi": patient.sdi,
        "sdi_levels_assessed": list(patient.sdi_levels_assessed),
        "patient_fracture_probability": patient.fracture_probability,
        "patient_grade2_probability": patient.grade2_probability,
    }


def judgement_values(v: Vertebra | FilmVertebra) -> Row:
    """Columns of VERTEBRAE that say the same of a vertebra on a CT and on a film."""
    return {
        "vertebra_level": v.vertebra_level,
        "level_probability": v.level_probability,
        "level_certain": v.level_certain,
        "truncated": v.truncated,
        "detection_probability": v.detection_probability,
        "reason_code": None if v.reason is None else v.reason.value,
        "height_loss_ratio_raw": v.height_loss_ratio_raw,
        "height_loss_ratio_adjusted": v.height_loss_ratio_adjusted,
        "genant_grade_raw": v.genant_grade_raw,
        "genant_grade": v.genant_grade,
        "deformity_type": None if v.deformity_type is None else v.deformity_type.value,
        "fracture_probability": v.fracture_probability,
        "grade2_probability": v.grade2_probability,
        "grade3_probability": v.grade3_probability,
        "fracture_score": v.fracture_score,
    }


def vertebra_values(v: Vertebra) -> Row:
    """Columns of VERTEBRAE that speak of the vertebra itself."""
    row: Row = {
        **judgement_values(v),
        "centre_lps_mm": [float(x) for x in v.centre_lps_mm],
        **vertebra_density_values(v.density),
    }
    for i, name in enumerate(KEYPOINTS):
        points, sd = v.keypoints_lps_mm, v.keypoint_sd_mm
        row[f"{name}_lps_mm"] = None if points is None else [float(x) for x in points[i]]
        row[f"{name}_sd_mm"] = None if sd is None else float(sd[i])
    for i, part in enumerate(PARTS):
        row[f"{part}_height_mm"] = None if v.heights_mm is None else float(v.heights_mm[i])
        row[f"{part}_height_sd_mm"] = None if v.height_sd_mm is None else float(v.height_sd_mm[i])
    return row


def vertebra_density_values(d: VertebraDensity) -> Row:
    """Columns of VERTEBRAE that speak of density."""
    return {
        "trabecular_hu_mean": d.trabecular_hu_mean,
        "trabecular_hu_median": d.trabecular_hu_median,
        "trabecular_hu_sd": d.trabecular_hu_sd,
        "trabecular_volume_mm3": d.trabecular_volume_mm3,
        "density_valid": d.valid,
        "density_reasons": [r.value for r in d.reasons],
        "kvp_correction_hu": d.kvp_correction_hu,
        "contrast_correction_hu": d.contrast_correction_hu,
        "kernel_correction_hu": d.kernel_correction_hu,
        "trabecular_hu_corrected": d.trabecular_hu_corrected,
        "bmd_mg_cm3": d.bmd_mg_cm3,
        "bmd_sd_mg_cm3": d.bmd_sd_mg_cm3,
        "focal_lesion_flag": None if d.focal_lesion is None else d.focal_lesion.value,
    }


def series_density_values(d: SeriesDensity) -> Row:
    """Columns of SERIES that speak of density."""
    return {
        "contrast_phase": None if d.contrast_phase is None else d.contrast_phase.value,
        "contrast_phase_probability": d.contrast_phase_probability,
        "contrast_header_disagrees": d.contrast_header_disagrees,
        "density_reference_hu": d.reference_hu,
        "density_reference_hu_corrected": d.reference_hu_corrected,
        "density_reference_levels": list(d.reference_levels),
        "density_category": None if d.category is None else d.category.value,
        "calibration_kind": d.calibration_kind.value,
    }


def copied_to_series(manifest_row: Mapping[str, Any]) -> Row:
    """Columns of SERIES that the manifest has already."""
    return {name: manifest_row.get(name) for name in _SERIES_COPIED}


def check_rows(table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Raises Failed (measure, internal_error) for a value that its column does not allow."""
    for row in rows:
        for column in table.columns:
            if column.name not in _WRITER_FILLS and (problem := column.problem(row.get(column.name))):
                raise Failed(Stage.MEASURE, ReasonCode.INTERNAL_ERROR, f"table {table.name}: {problem}")
