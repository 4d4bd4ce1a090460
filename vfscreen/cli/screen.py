"""`vfscreen screen`: one series, without an archive or a lake.

Belongs here: options and output of the command. Does not belong here: reading (ingest.single), the work
(screening.chain), the documents (screening.report_json, report.overlay).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vfscreen.cli.common import missing_work
from vfscreen.errors import ItemError, ReasonCode, Stage, State, VfscreenError

if TYPE_CHECKING:
    from vfscreen.screening.result import ScreeningResult
    from vfscreen.settings import Settings


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("screen")(screen)


def screen(
    path: Annotated[Path, typer.Argument(help="DICOM folder or file of one series, or a NIfTI file.")],
    json_path: Annotated[Path, typer.Option("--json", help="Where to write the findings.", metavar="OUT.json")],
    overlay: Annotated[
        Path | None, typer.Option("--overlay", help="Where to draw the picture to check them by.", metavar="OUT.png")
    ] = None,
    settings: Annotated[Path | None, typer.Option(help="Settings of the site (YAML).")] = None,
) -> None:
    """Screen one CT series of any orientation; write its findings as JSON and, if asked, a picture.

    The JSON is written in any case and says `screened`, `rejected` or `failed` with the reason; the exit status is 0
    for `screened` only.

    Examples:

        vfscreen screen /data/patient/ct --json findings.json --overlay findings.png

        vfscreen screen ct.nii.gz --json findings.json
    """
    from vfscreen.settings import AcceptSettings, load_settings

    chosen = load_settings(settings)
    accept = AcceptSettings(
        **chosen.accept.model_dump() | {"orientations": ("axial", "coronal", "sagittal", "oblique")}
    )
    document, result, problem = _screen(path, chosen.model_copy(update={"accept": accept}))
    _write(json_path, (json.dumps(document, indent=2, allow_nan=False) + "\n").encode())
    if problem is not None:
        if not isinstance(problem, VfscreenError):
            raise problem
        missing_work(str(problem))
    assert result is not None
    if overlay is not None:
        from vfscreen.report.overlay import draw_overlay

        _write(overlay, draw_overlay(result, title=_title(document)))
    _print(document)


def _screen(path: Path, settings: Settings) -> tuple[dict[str, Any], ScreeningResult | None, Exception | None]:
    """The document, and the result or what went wrong."""
    from vfscreen.density.acquisition import Acquisition
    from vfscreen.ingest.single import read_single
    from vfscreen.models.registry import load_models
    from vfscreen.screening.chain import screen_volume
    from vfscreen.screening.reading import as_item_error
    from vfscreen.screening.report_json import ended_document, screened_document

    header: dict[str, Any] = {}
    stage = Stage.READ
    try:
        series = read_single(path, settings)
        header, stage = series.header, Stage.MEASURE
        result = screen_volume(
            series.volume,
            load_models(screening=settings.screening),
            settings.screening,
            acquisition=Acquisition.from_header(header),
        )
    except Exception as error:
        item = error if isinstance(error, ItemError) else None
        if item is None:
            message = f"{type(error).__name__}: {error}"
            item = ItemError(State.FAILED, stage, ReasonCode.INTERNAL_ERROR, message)
            if isinstance(error, MemoryError):
                item = as_item_error(error, stage)
        return ended_document(header, item), None, error
    return screened_document(header, result), result, None


def _title(document: dict[str, Any]) -> str:
    series = document["series"]
    return f"{series['slice_count']} slices of {series['slice_spacing_mm']:.2f} mm"


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise VfscreenError(f"{path} cannot be written: {error.strerror}") from error


def _print(document: dict[str, Any]) -> None:
    """The findings at a glance, on the terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table("level", "p(level)", "anterior", "middle", "posterior", "loss", "grade", "type", "P(grade >= 2)")
    table.add_column("HU", min_width=5, no_wrap=True)
    for v in document["vertebrae"]:
        level = f"{v['vertebra_level'] or '?'}{'' if v['level_certain'] else '?'}"
        p_level = "" if v["level_probability"] is None else f"{v['level_probability']:.2f}"
        if v["truncated"]:
            table.add_row(level, p_level, *["cut"] * 3, "", "", "", "", "")
            continue
        heights = [f"{v[f'{part}_height_mm']:.1f}" for part in ("anterior", "middle", "posterior")]
        if v["genant_grade"] is None:
            table.add_row(level, p_level, *heights, "", "not graded", "", "", _attenuation(v["density"]))
            continue
        loss = f"{100 * v['height_loss_ratio_adjusted']:.1f} %"
        table.add_row(
            level,
            p_level,
            *heights,
            loss,
            str(v["genant_grade"]),
            v["deformity_type"],
            f"{v['grade2_probability']:.2f}",
            _attenuation(v["density"]),
        )
    Console().print(table)


def _attenuation(density: dict[str, Any]) -> str:
    """Raw trabecular HU; in brackets where something speaks against it (the JSON says what)."""
    hu = density["trabecular_hu_mean"]
    if hu is None:
        return ""
    return f"{hu:.0f}" if density["density_valid"] else f"({hu:.0f})"
