"""What a perfect screening would say of a demo archive's films, as rows.

Belongs here: films' truth as `EndedFilm`s. Does not belong here: the truth (`truth`), CT and landing (`truth_lake`).

Heights are those of the true points on the film, as a perfect reader of the film would measure them: a projection
changes a loss by less than a point. What a film cannot tell is null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vfscreen.errors import ReasonCode, Rejected, Stage, State
from vfscreen.ingest.film import FilmImage, unread_film
from vfscreen.ingest.film_headers import header_anterior_side, header_rotation_deg, header_view
from vfscreen.morphometry.heights import body_heights_mm
from vfscreen.morphometry.neighbours import expected_posterior_heights_mm
from vfscreen.schema.names import KEYPOINTS, BodyRegion, FilmView, PictureSide, SpacingSource
from vfscreen.screening.film_result import FilmResult, FilmVertebra, PictureReading
from vfscreen.screening.film_rows import EndedFilm
from vfscreen.screening.measure import summarise
from vfscreen.synthesis.anatomy import Float
from vfscreen.synthesis.truth import FilmTruth, SeriesTruth, VisibleVertebra
from vfscreen.synthesis.truth_judgement import perfect_judgement

Row = Mapping[str, Any]

_REGIONS = {
    "TSPINE": BodyRegion.THORACIC,
    "LSPINE": BodyRegion.LUMBAR,
    "CHEST": BodyRegion.CHEST,
}


def perfect_films(series: SeriesTruth, file_rows: Sequence[Row]) -> list[EndedFilm]:
    """Every film of a radiograph series at its end. file_rows: FILES rows of its instances, in any order.

    KeyError where an instance of the truth is not among them.
    """
    by_uid = {row["SOPInstanceUID"]: row for row in file_rows}
    return [_ended(film, series, by_uid[film.SOPInstanceUID]) for film in series.films]


def points_of(vertebra: VisibleVertebra) -> Float:
    """(6, 2) (row, column) of a vertebra on its film."""
    return np.array([vertebra.keypoints_px[name][::-1] for name in KEYPOINTS], dtype=np.float64)


def heights_px(points: Float) -> Float:
    """(3,) anterior, middle, posterior of (6, 2) points, in pixels."""
    return body_heights_mm(np.concatenate([points, np.zeros((len(points), 1))], axis=1))


def _ended(film: FilmTruth, series: SeriesTruth, file_row: Row) -> EndedFilm:
    view = FilmView(film.view)
    picture = PictureReading(
        view=view,
        view_probabilities={v.value: float(v is view) for v in FilmView},
        body_region=_REGIONS.get(file_row["BodyPartExamined"] or "", BodyRegion.OTHER),
        body_region_probability=1.0,
        anterior_side=None if film.anterior_side is None else PictureSide(film.anterior_side),
        anterior_side_probability=None if film.anterior_side is None else 1.0,
        rotation_deg=0,
    )
    calibrated = film.patient_spacing_mm is not None
    image = _image(film, file_row)
    if film.expected_state != State.SCREENED.value:
        reason = Rejected(Stage.LOCATE, ReasonCode(str(film.expected_reason)), "As the truth says.")
        return EndedFilm(image, FilmResult(picture, calibrated, rejected=reason))
    shown = [v for v in series.vertebrae if v.SOPInstanceUID == film.SOPInstanceUID]
    heights = [None if v.truncated else heights_px(points_of(v)) for v in shown]
    expected = expected_posterior_heights_mm(heights, [v.vertebra_level for v in shown])
    vertebrae = tuple(_vertebra(v, e, film.patient_spacing_mm) for v, e in zip(shown, expected, strict=True))
    return EndedFilm(image, FilmResult(picture, calibrated, vertebrae, summarise(vertebrae)))


def _image(film: FilmTruth, file_row: Row) -> FilmImage:
    """The film as its header has it, without pixels."""
    detector = file_row.get("ImagerPixelSpacing_mm")
    scale: tuple[float, str] | None = None
    if film.patient_spacing_mm is not None:
        scale = film.patient_spacing_mm, SpacingSource.CALIBRATED.value
    elif detector:
        scale = float(detector[0]), SpacingSource.DETECTOR.value
    known: dict[str, Any] = {"height_calibrated": film.patient_spacing_mm is not None}
    if scale is not None:
        known |= {"row_spacing_mm": scale[0], "column_spacing_mm": scale[0], "spacing_source": scale[1]}
    unread = unread_film(file_row, Rejected(Stage.READ, ReasonCode.PIXEL_DATA_MISSING))
    return replace(
        unread,
        header=unread.header | known,
        error=None,
        view=header_view(file_row["ViewPosition"], file_row["PatientOrientation"]),
        anterior_side=header_anterior_side(file_row["PatientOrientation"]),
        rotation_deg=header_rotation_deg(file_row["PatientOrientation"]),
    )


def _vertebra(v: VisibleVertebra, expected_height_px: float | None, spacing_mm: float | None) -> FilmVertebra:
    points = points_of(v)
    heights = heights_px(points)
    whole, calibrated = not v.truncated, not v.truncated and spacing_mm is not None
    return FilmVertebra(
        vertebra_level=v.vertebra_level,
        level_probability=1.0,
        level_certain=True,
        truncated=v.truncated,
        detection_probability=1.0,
        centre_px=np.asarray(v.centre_px[::-1]),
        keypoints_px=points if whole else None,
        keypoint_sd_px=np.zeros(len(KEYPOINTS)) if whole else None,
        heights_px=heights if whole else None,
        height_sd_px=np.zeros(3) if whole else None,
        keypoint_sd_mm=np.zeros(len(KEYPOINTS)) if calibrated else None,
        heights_mm=heights * (spacing_mm or 0.0) if calibrated else None,
        height_sd_mm=np.zeros(3) if calibrated else None,
        **perfect_judgement(v, heights, expected_height_px),
    )
