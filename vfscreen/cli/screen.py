"""`vfscreen screen`: one series, CT or radiographs, without an archive or a lake.

Belongs here: options and output of the command. Does not belong here: reading (ingest.single), the work
(screening.chain, film_chain), the documents (screening.report_json, report).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vfscreen.cli.common import missing_work
from vfscreen.errors import ItemError, ReasonCode, Rejected, Stage, State, VfscreenError

PARTS = ("anterior", "middle", "posterior")

if TYPE_CHECKING:
    from vfscreen.ingest.film import FilmImage
    from vfscreen.ingest.single import SingleFilms, SingleSeries
    from vfscreen.screening.film_result import FilmResult
    from vfscreen.settings import Settings


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("screen")(screen)


def screen(
    path: Annotated[
        Path, typer.Argument(help="DICOM folder or file of one series, a NIfTI file, or a film as PNG, JPEG or TIFF.")
    ],
    json_path: Annotated[Path, typer.Option("--json", help="Where to write the findings.", metavar="OUT.json")],
    overlay: Annotated[
        Path | None, typer.Option("--overlay", help="Where to draw the picture to check them by.", metavar="OUT.png")
    ] = None,
    settings: Annotated[Path | None, typer.Option(help="Settings of the site (YAML).")] = None,
) -> None:
    """Screen one CT series of any orientation, or lateral films of the spine; write the findings as JSON and, if
    asked, a picture.

    The JSON is written in any case and says `screened`, `rejected` or `failed` with the reason; the exit status is 0
    for `screened` only. A film's points are in its own pixels (`keypoints_px`); its heights are in mm only where the
    film is calibrated, ratios and grades stand always.

    Examples:

        vfscreen screen /data/patient/ct --json findings.json --overlay findings.png

        vfscreen screen ct.nii.gz --json findings.json

        vfscreen screen /data/patient/lateral.dcm --json findings.json --overlay findings.png

        vfscreen screen scanned_film.png --json findings.json
    """
    from vfscreen.settings import AcceptSettings, load_settings

    chosen = load_settings(settings)
    accept = AcceptSettings(
        **chosen.accept.model_dump() | {"orientations": ("axial", "coronal", "sagittal", "oblique")}
    )
    done = _screen(path, chosen.model_copy(update={"accept": accept}), overlay is not None)
    _write(json_path, (json.dumps(done.document, indent=2, allow_nan=False) + "\n").encode())
    if done.problem is not None:
        if not isinstance(done.problem, VfscreenError):
            raise done.problem
        missing_work(str(done.problem))
    if overlay is not None and done.picture is not None:
        _write(overlay, done.picture)
    _print(done.document)


@dataclass
class _Screened:
    """What became of a series: its document, a picture if one was asked for and can be drawn, or what went wrong."""

    document: dict[str, Any]
    picture: bytes | None = None
    problem: Exception | None = None


def _screen(path: Path, settings: Settings, overlay: bool) -> _Screened:
    from vfscreen.ingest.single import SingleFilms, read_any
    from vfscreen.screening.reading import as_item_error
    from vfscreen.screening.report_json import ended_document

    header: dict[str, Any] = {}
    stage = Stage.READ
    try:
        series = read_any(path, settings)
        header, stage = series.header, Stage.MEASURE
        if isinstance(series, SingleFilms):
            return _films(series, settings, overlay)
        return _volume(series, settings, overlay)
    except Exception as error:
        item = error if isinstance(error, ItemError) else None
        if item is None:
            message = f"{type(error).__name__}: {error}"
            item = ItemError(State.FAILED, stage, ReasonCode.INTERNAL_ERROR, message)
            if isinstance(error, MemoryError):
                item = as_item_error(error, stage)
        return _Screened(ended_document(header, item), problem=error)


def _volume(series: SingleSeries, settings: Settings, overlay: bool) -> _Screened:
    from vfscreen.density.acquisition import Acquisition
    from vfscreen.models.registry import load_models
    from vfscreen.report.overlay import draw_overlay
    from vfscreen.screening.chain import screen_volume
    from vfscreen.screening.report_json import screened_document

    models = load_models(screening=settings.screening)
    result = screen_volume(
        series.volume, models, settings.screening, acquisition=Acquisition.from_header(series.header)
    )
    document = screened_document(series.header, result)
    shown = document["series"]
    title = f"{shown['slice_count']} slices of {shown['slice_spacing_mm']:.2f} mm"
    return _Screened(document, draw_overlay(result, title) if overlay else None)


def _films(series: SingleFilms, settings: Settings, overlay: bool) -> _Screened:
    """Every film of a series; the picture is of the film with the worst finding."""
    from vfscreen.models.film_release import load_film_models
    from vfscreen.models.registry import release_cards
    from vfscreen.report.film_overlay import draw_film_overlay
    from vfscreen.screening.film_chain import screen_film
    from vfscreen.screening.film_rows import EndedFilm, ending_of_series
    from vfscreen.screening.report_json import film_document

    models = load_film_models(release_cards())
    if models is None:
        raise Rejected(Stage.READ, ReasonCode.FILM_MODELS_MISSING)
    ended: list[EndedFilm] = []
    worst: tuple[float, FilmImage, FilmResult] | None = None
    for image in series.films:
        unread = EndedFilm(replace(image, radiograph=None), None, image.error)
        if image.radiograph is None:
            ended.append(unread)
            continue
        result = screen_film(image.radiograph, models, settings.screening)
        ended.append(replace(unread, result=result, message=result.picture.problem))
        rank = max((v.height_loss_ratio_adjusted or 0.0 for v in result.vertebrae), default=-1.0)
        if result.rejected is None and (worst is None or rank > worst[0]):
            worst = rank, image, result
    document = film_document(series.header, ended)
    if worst is None:
        return _Screened(document, problem=ending_of_series(ended))
    _, image, result = worst
    assert image.radiograph is not None
    rows, columns = image.radiograph.shape
    picture = draw_film_overlay(image.radiograph, result, f"film of {columns} x {rows} pixels") if overlay else None
    return _Screened(document, picture)


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise VfscreenError(f"{path} cannot be written: {error.strerror}") from error


def _print(document: dict[str, Any]) -> None:
    """The findings at a glance, on the terminal."""
    from rich.console import Console
    from rich.table import Table

    unit = "mm" if any(v["anterior_height_mm"] is not None for v in document["vertebrae"]) else "px"
    table = Table("level", "p(level)", *(f"{part} {unit}" for part in PARTS), "loss", "grade", "type", "P(grade >= 2)")
    is_film = document["film"] is not None
    if not is_film:
        table.add_column("HU", min_width=5, no_wrap=True)
    for v in document["vertebrae"]:
        level = f"{v['vertebra_level'] or '?'}{'' if v['level_certain'] else '?'}"
        p_level = "" if v["level_probability"] is None else f"{v['level_probability']:.2f}"
        cells = [level, p_level, *_findings(v, unit)]
        table.add_row(*cells, *([] if is_film else [_attenuation(v["density"])]))
    Console().print(table)


def _findings(v: dict[str, Any], unit: str) -> list[str]:
    """Heights, loss, grade, type and probability of one vertebra, as far as it was measured."""
    if v["truncated"]:
        return [*["cut"] * 3, "", "", "", ""]
    heights = [f"{v[f'{part}_height_{unit}']:.1f}" for part in PARTS]
    if v["genant_grade"] is None:
        return [*heights, "", "not graded", "", ""]
    loss = f"{100 * v['height_loss_ratio_adjusted']:.1f} %"
    return [*heights, loss, str(v["genant_grade"]), v["deformity_type"], f"{v['grade2_probability']:.2f}"]


def _attenuation(density: dict[str, Any]) -> str:
    """Raw trabecular HU; in brackets where something speaks against it (the JSON says what)."""
    hu = density["trabecular_hu_mean"]
    if hu is None:
        return ""
    return f"{hu:.0f}" if density["density_valid"] else f"({hu:.0f})"
