"""The JSON of `vfscreen screen`: one series, stable keys.

Belongs here: the document's shape. Does not belong here: writing it (cli.screen), the values (chain).

    state            screened | rejected | failed
    reason_code      null where screened
    series           header and geometry of the series
    centreline_lps_mm, vertebrae, patient
    density          of the series; each vertebra has its own block

Positions are LPS mm. Nothing that was decided on is rounded; positions are given to 0.1 micrometre.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfscreen.density.result import NO_DENSITY
from vfscreen.errors import ItemError, State
from vfscreen.morphometry.heights import PARTS
from vfscreen.schema.names import KEYPOINTS
from vfscreen.schema.tables import HEADER_COLUMNS
from vfscreen.screening.result import PatientSummary, ScreeningResult, Vertebra
from vfscreen.screening.rows import series_density_values, vertebra_density_values

Document = dict[str, Any]

_SERIES_KEYS = (
    "StudyInstanceUID",
    "SeriesInstanceUID",
    *(c.name for c in HEADER_COLUMNS),
    "slice_count",
    "Rows",
    "Columns",
    "slice_spacing_mm",
    "row_spacing_mm",
    "column_spacing_mm",
    "coverage_mm",
    "orientation",
    "tilt_deg",
)


def screened_document(header: Mapping[str, Any], result: ScreeningResult) -> Document:
    """The document of a screened series. header: columns of MANIFEST by name, missing ones null."""
    return {
        "state": State.SCREENED.value,
        "reason_code": None,
        "series": _series(header),
        "centreline_lps_mm": _positions(result.centreline.points_lps_mm),
        "vertebrae": [_vertebra(v) for v in result.vertebrae],
        "patient": _patient(result.patient),
        "density": series_density_values(result.density),
    }


def ended_document(header: Mapping[str, Any], error: ItemError) -> Document:
    """The document of a series that was rejected or failed: the same keys, nothing found."""
    return {
        "state": error.state.value,
        "reason_code": error.reason.value,
        "series": _series(header),
        "centreline_lps_mm": [],
        "vertebrae": [],
        "patient": _patient(PatientSummary(None, None, None, None, ())),
        "density": series_density_values(NO_DENSITY),
    }


def _series(header: Mapping[str, Any]) -> Document:
    return {name: header.get(name) for name in _SERIES_KEYS}


def _vertebra(v: Vertebra) -> Document:
    points = v.keypoints_lps_mm
    heights = [None] * 3 if v.heights_mm is None else [float(h) for h in v.heights_mm]
    return {
        "vertebra_level": v.vertebra_level,
        "level_probability": v.level_probability,
        "level_certain": v.level_certain,
        "truncated": v.truncated,
        "reason_code": None if v.reason is None else v.reason.value,
        "centre_lps_mm": _positions(v.centre_lps_mm[None])[0],
        "keypoints_lps_mm": None if points is None else dict(zip(KEYPOINTS, _positions(points), strict=True)),
        **{f"{part}_height_mm": height for part, height in zip(PARTS, heights, strict=True)},
        "height_loss_ratio_raw": v.height_loss_ratio_raw,
        "height_loss_ratio_adjusted": v.height_loss_ratio_adjusted,
        "genant_grade_raw": v.genant_grade_raw,
        "genant_grade": v.genant_grade,
        "deformity_type": None if v.deformity_type is None else v.deformity_type.value,
        "fracture_probability": v.fracture_probability,
        "grade2_probability": v.grade2_probability,
        "density": vertebra_density_values(v.density),
    }


def _patient(patient: PatientSummary) -> Document:
    return {
        "fracture_probability": patient.fracture_probability,
        "grade2_probability": patient.grade2_probability,
        "max_genant_grade": patient.max_genant_grade,
        "sdi": patient.sdi,
        "sdi_levels_assessed": list(patient.sdi_levels_assessed),
    }


def _positions(points: NDArray[np.float64]) -> list[list[float]]:
    return [[round(float(x), 4) for x in point] for point in points]
