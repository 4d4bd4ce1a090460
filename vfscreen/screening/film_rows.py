"""Films and their series as rows of the tables FILMS, SERIES and VERTEBRAE, checked against their columns.

Belongs here: which value goes into which column, what a series of several films says as a whole, and whether header and
pixels disagree. Does not belong here: what the columns are (schema), how a value came about (film_chain), CT (rows).

Every film of a series that went into the chain has its row, however it ended. The series is screened where one of its
films gave vertebrae; otherwise it ends as its leading film did. A level that several films show counts once in the
series' summary, as the film says that graded it highest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vfscreen.errors import ItemError, ReasonCode, Stage, State
from vfscreen.geometry.radiograph import to_xy
from vfscreen.ingest.film import FilmImage
from vfscreen.morphometry.heights import PARTS
from vfscreen.schema.names import KEYPOINTS, FilmView
from vfscreen.schema.tables import FILMS, SERIES, VERTEBRAE
from vfscreen.screening.film_result import FilmResult, FilmVertebra, PictureReading
from vfscreen.screening.measure import summarise
from vfscreen.screening.rows import (
    VERTEBRAE_KEYS,
    Row,
    check_rows,
    copied_to_series,
    ended_series_row,
    judgement_values,
    summary_values,
)

_INDEX_STAGES = frozenset({Stage.SCAN, Stage.ACCEPT, Stage.SELECT})


@dataclass(frozen=True, eq=False)
class EndedFilm:
    """A film at its end, without its pixels.

    image: as it was read, its radiograph let go. result: None where it could not be read, or something broke: then
    `error` says what.
    """

    image: FilmImage
    result: FilmResult | None
    error: ItemError | None = None
    overlay_path: str | None = None
    message: str | None = None
    seconds_read: float = 0.0
    seconds_inference: float = 0.0

    @property
    def ending(self) -> ItemError | None:
        """Why it is not screened; None where it is."""
        return self.error or (None if self.result is None else self.result.rejected)

    @property
    def vertebrae(self) -> tuple[FilmVertebra, ...]:
        return () if self.ending is not None or self.result is None else self.result.vertebrae


def film_series_rows(manifest_row: Mapping[str, Any], films: Sequence[EndedFilm]) -> tuple[Row, list[Row], list[Row]]:
    """SERIES row, VERTEBRAE rows and FILMS rows of a radiograph series whose films are given in their order, at least
    one; without the columns that the lake fills in.

    Raises Failed (measure, internal_error) for values outside their columns' limits: they must not stop a whole shard.
    """
    film_rows = [film_row(manifest_row, film) for film in films]
    screened = [film for film in films if film.ending is None]
    counts = {
        "film_count": len(films),
        "lateral_film_count": sum(row["view"] == FilmView.LATERAL.value for row in film_rows),
    }
    seconds = sum(f.seconds_read for f in films), sum(f.seconds_inference for f in films)
    vertebra_rows: list[Row] = []
    if not screened:
        series = ended_series_row(manifest_row, ending_of_series(films), *seconds) | counts
    else:
        series = _screened(manifest_row, films, screened, seconds) | counts
        vertebra_rows = [row for film in screened for row in _vertebra_rows(manifest_row, film)]
        vertebra_rows = [{**row, "vertebra_index": i} for i, row in enumerate(vertebra_rows)]
    check_rows(SERIES, [series])
    check_rows(FILMS, film_rows)
    check_rows(VERTEBRAE, vertebra_rows)
    return series, vertebra_rows, film_rows


def film_row(manifest_row: Mapping[str, Any], film: EndedFilm) -> Row:
    """FILMS row of one film."""
    ending = film.ending
    row: Row = {
        **film.image.header,
        **{name: manifest_row.get(name) for name in VERTEBRAE_KEYS},
        "SOPInstanceUID": film.image.sop_instance_uid,
        "state": State.SCREENED.value if ending is None else ending.state.value,
        "stage": None if ending is None else ending.stage.value,
        "reason_code": None if ending is None else ending.reason.value,
        "message": _joined(None if ending is None else ending.message, film.message, film.image.remark),
        "vertebra_count": len(film.vertebrae),
        "overlay_path": film.overlay_path,
    }
    return row | _picture_values(film.image, film.result)


def _picture_values(image: FilmImage, result: FilmResult | None) -> Row:
    """Columns of FILMS that speak of what the pixels show, and of whether the header says the same."""
    p = PictureReading() if result is None else result.picture
    said_view, said_side = image.view, image.anterior_side
    return {
        "view": None if p.view is None else p.view.value,
        "view_probability": p.view_probability,
        "view_header_disagrees": None if p.view is None or said_view is None else p.view is not said_view,
        "body_region": None if p.body_region is None else p.body_region.value,
        "body_region_probability": p.body_region_probability,
        "anterior_side": None if p.anterior_side is None else p.anterior_side.value,
        "anterior_side_probability": p.anterior_side_probability,
        "side_header_disagrees": None if p.anterior_side is None or said_side is None else p.anterior_side != said_side,
        "rotation_deg": p.rotation_deg,
    }


def film_vertebra_values(v: FilmVertebra) -> Row:
    """Columns of VERTEBRAE that speak of the vertebra itself."""
    row = judgement_values(v) | {"fresh_probability": v.fresh_probability}
    (row["centre_px"],) = to_xy(v.centre_px[None])
    points = None if v.keypoints_px is None else to_xy(v.keypoints_px)
    for i, name in enumerate(KEYPOINTS):
        row[f"{name}_px"] = None if points is None else points[i]
        row[f"{name}_sd_px"] = None if v.keypoint_sd_px is None else float(v.keypoint_sd_px[i])
        row[f"{name}_sd_mm"] = None if v.keypoint_sd_mm is None else float(v.keypoint_sd_mm[i])
    for i, part in enumerate(PARTS):
        row[f"{part}_height_px"] = None if v.heights_px is None else float(v.heights_px[i])
        row[f"{part}_height_mm"] = None if v.heights_mm is None else float(v.heights_mm[i])
        row[f"{part}_height_sd_mm"] = None if v.height_sd_mm is None else float(v.height_sd_mm[i])
    return row


def each_level_once(vertebrae: Sequence[FilmVertebra]) -> list[FilmVertebra]:
    """Of vertebrae on several films of one patient each level once: the one graded highest. Unnamed ones all stay."""
    best: dict[str, FilmVertebra] = {}
    unnamed = []
    for vertebra in vertebrae:
        level = vertebra.vertebra_level
        if level is None:
            unnamed.append(vertebra)
        elif level not in best or _rank(vertebra) > _rank(best[level]):
            best[level] = vertebra
    return [*best.values(), *unnamed]


def leading_film(films: Sequence[EndedFilm]) -> EndedFilm:
    """The film whose ending is that of a series without a screened one: something that broke before something that was
    refused, a film that was looked at before one that was not, the most lateral one before others."""

    def place(film: EndedFilm) -> tuple[bool, bool, float]:
        ending = film.ending
        picture = None if film.result is None else film.result.picture.view_probabilities
        lateral = 0.0 if picture is None else picture[FilmView.LATERAL.value]
        refused = ending is None or ending.state is not State.FAILED
        return refused, ending is not None and ending.stage in _INDEX_STAGES, -lateral

    return min(films, key=place)


def _rank(v: FilmVertebra) -> tuple[int, float]:
    return (-1 if v.genant_grade is None else v.genant_grade), v.grade2_probability or 0.0


def _screened(
    manifest_row: Mapping[str, Any],
    films: Sequence[EndedFilm],
    screened: Sequence[EndedFilm],
    seconds: tuple[float, float],
) -> Row:
    vertebrae = [v for film in screened for v in film.vertebrae]
    patient = summarise(each_level_once(vertebrae))
    pictures = [f for f in screened if f.overlay_path is not None]
    worst = max(pictures, key=lambda f: max(_rank(v) for v in f.vertebrae), default=None)
    failed = [f for f in films if f.ending is not None and f.ending.state is State.FAILED]
    broken = f"{len(failed)} of {len(films)} films failed" if failed else None
    return {
        **copied_to_series(manifest_row),
        "state": State.SCREENED.value,
        "stage": None,
        "reason_code": None,
        "message": _joined(manifest_row.get("message"), broken),
        **summary_values(vertebrae, patient),
        "overlay_path": None if worst is None else worst.overlay_path,
        "seconds_read": seconds[0],
        "seconds_inference": seconds[1],
    }


def ending_of_series(films: Sequence[EndedFilm]) -> ItemError:
    """How a series ended of which no film is screened."""
    ending = leading_film(films).ending
    assert ending is not None
    others = f" (the leading one of {len(films)} films)" if len(films) > 1 else ""
    # the index's own stages say that a series was never to be screened; this one was
    stage = Stage.READ if ending.stage in _INDEX_STAGES else ending.stage
    return ItemError(ending.state, stage, ReasonCode(ending.reason), ending.message + others)


def _vertebra_rows(manifest_row: Mapping[str, Any], film: EndedFilm) -> list[Row]:
    keys = {name: manifest_row.get(name) for name in VERTEBRAE_KEYS}
    keys |= {
        "modality": manifest_row.get("Modality"),
        "height_calibrated": bool(film.image.header["height_calibrated"]),
        "SOPInstanceUID": film.image.sop_instance_uid,
    }
    return [{**keys, **film_vertebra_values(v)} for v in film.vertebrae]


def _joined(*remarks: str | None) -> str | None:
    return "; ".join(r for r in remarks if r) or None
