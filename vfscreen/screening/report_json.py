"""The JSON of `vfscreen screen`: one series, stable keys.

Belongs here: the document's shape. Does not belong here: writing it (cli.screen), the values (chain, film_chain).

    state            screened | rejected | failed
    reason_code      null where screened
    series           header and geometry of the series
    centreline_lps_mm, vertebrae, patient
    density          of the series; each vertebra has its own block
    film             null for CT: the film that the series ended as, what its pixels show and whether its header agrees
    films            every film of the series, in the order of `vertebrae`; empty for CT

Positions on a CT are LPS mm, on a film [x, y] in the film's own pixels: each vertebra has both keys, one of them null.
Nothing that was decided on is rounded; positions are given to 0.1 micrometre, or to 0.0001 pixel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfscreen.density.result import NO_DENSITY, UNMEASURED, VertebraDensity
from vfscreen.errors import ItemError, State
from vfscreen.morphometry.heights import PARTS
from vfscreen.schema.film_columns import FILM_COLUMNS
from vfscreen.schema.names import KEYPOINTS
from vfscreen.schema.tables import HEADER_COLUMNS
from vfscreen.screening.film_result import FilmVertebra
from vfscreen.screening.film_rows import EndedFilm, each_level_once, film_row, leading_film
from vfscreen.screening.measure import summarise
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
        "film": None,
        "films": [],
    }


def film_document(header: Mapping[str, Any], films: Sequence[EndedFilm]) -> Document:
    """The document of a radiograph series, of whose films at least one is given, in their order. header: as above."""
    screened = [film for film in films if film.ending is None]
    leading = screened[0] if screened else leading_film(films)
    ending = leading.ending
    vertebrae = [(film, v) for film in screened for v in film.vertebrae]
    return {
        "state": State.SCREENED.value if ending is None else ending.state.value,
        "reason_code": None if ending is None else ending.reason.value,
        "series": _series(header),
        "centreline_lps_mm": [],
        "vertebrae": [_film_vertebra(film, v) for film, v in vertebrae],
        "patient": _patient(summarise(each_level_once([v for _, v in vertebrae]))),
        "density": series_density_values(NO_DENSITY),
        "film": _film(header, leading),
        "films": [_film(header, film) for film in films],
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
        "film": None,
        "films": [],
    }


def _series(header: Mapping[str, Any]) -> Document:
    return {name: header.get(name) for name in _SERIES_KEYS}


def _vertebra(v: Vertebra) -> Document:
    return _body(
        v,
        v.density,
        centre_lps_mm=_positions(v.centre_lps_mm[None])[0],
        keypoints_lps_mm=_by_name(v.keypoints_lps_mm),
    )


def _film_vertebra(film: EndedFilm, v: FilmVertebra) -> Document:
    return _body(
        v,
        UNMEASURED,
        centre_px=_positions(v.centre_px[None, ::-1])[0],
        keypoints_px=_by_name(None if v.keypoints_px is None else v.keypoints_px[:, ::-1]),
        heights_px=v.heights_px,
        sop_instance_uid=film.image.sop_instance_uid,
    )


def _body(
    v: Vertebra | FilmVertebra,
    density: VertebraDensity,
    centre_lps_mm: list[float] | None = None,
    keypoints_lps_mm: dict[str, list[float]] | None = None,
    centre_px: list[float] | None = None,
    keypoints_px: dict[str, list[float]] | None = None,
    heights_px: NDArray[np.float64] | None = None,
    sop_instance_uid: str | None = None,
) -> Document:
    return {
        "vertebra_level": v.vertebra_level,
        "level_probability": v.level_probability,
        "level_certain": v.level_certain,
        "truncated": v.truncated,
        "reason_code": None if v.reason is None else v.reason.value,
        "centre_lps_mm": centre_lps_mm,
        "keypoints_lps_mm": keypoints_lps_mm,
        **_heights("mm", v.heights_mm),
        "SOPInstanceUID": sop_instance_uid,
        "centre_px": centre_px,
        "keypoints_px": keypoints_px,
        **_heights("px", heights_px),
        "height_loss_ratio_raw": v.height_loss_ratio_raw,
        "height_loss_ratio_adjusted": v.height_loss_ratio_adjusted,
        "genant_grade_raw": v.genant_grade_raw,
        "genant_grade": v.genant_grade,
        "deformity_type": None if v.deformity_type is None else v.deformity_type.value,
        "fracture_probability": v.fracture_probability,
        "grade2_probability": v.grade2_probability,
        "density": vertebra_density_values(density),
    }


def _film(header: Mapping[str, Any], film: EndedFilm) -> Document:
    """Columns of FILMS that speak of the image itself, and what stands behind its view."""
    row = film_row(header, film)
    result = film.result
    course = [] if result is None else _positions(result.course_px[::4, ::-1])  # a quarter of a body height apart
    return {
        **{name: row.get(name) for name in ("SOPInstanceUID", "state", "stage", "reason_code", "message")},
        **{column.name: row.get(column.name) for column in FILM_COLUMNS if column.name != "overlay_path"},
        "view_probabilities": None if result is None else result.picture.view_probabilities,
        "course_px": course,
    }


def _heights(unit: str, heights: NDArray[np.float64] | None) -> Document:
    values = [None] * len(PARTS) if heights is None else [float(h) for h in heights]
    return {f"{part}_height_{unit}": value for part, value in zip(PARTS, values, strict=True)}


def _by_name(points: NDArray[np.float64] | None) -> dict[str, list[float]] | None:
    return None if points is None else dict(zip(KEYPOINTS, _positions(points), strict=True))


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
