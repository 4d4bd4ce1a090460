"""`vfscreen evaluate-model`: the targets of a release's models, measured on read volumes.

Belongs here: options and output of the command. Does not belong here: what is measured (training.model_table), a
cohort's agreement with a reference (evaluation).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vfscreen.cli.common import missing_work, print_json
from vfscreen.errors import SettingsError

if TYPE_CHECKING:
    from vfscreen.training.model_table import TargetRow


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("evaluate-model")(evaluate_model)


def evaluate_model(
    readings: Annotated[
        Path, typer.Argument(help="Folder of NAME_six_points.json, volumes beside them as NAME_spine.nii.gz.")
    ],
    volume: Annotated[
        list[str] | None, typer.Option(metavar="NAME=PATH", help="A volume that lies elsewhere (DICOM folder, NIfTI).")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Take this reading only; may be given again.")] = None,
    label_maps: Annotated[
        Path | None, typer.Option(help="Folder of VerSe label maps, rendered as CT, with genant_grades.csv.")
    ] = None,
    only_map: Annotated[list[str] | None, typer.Option(help="Take this label map only; may be given again.")] = None,
    renders: Annotated[int, typer.Option(min=1, help="Renderings a label map.")] = 3,
    simulate: Annotated[int, typer.Option(min=0, help="Windows of simulated fractures a volume; 0: none.")] = 15,
    degrade: Annotated[bool, typer.Option(help="Measure on degraded copies of the volumes too (minutes).")] = False,
    release: Annotated[str, typer.Option(help="Name of a release, or a YAML file that names cards.")] = "default",
    plot: Annotated[
        Path | None, typer.Option(help="PNG of the probabilities' reliability on the simulated fractures.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="One JSON document instead of the table.")] = False,
) -> None:
    """Measure a release against readings: one table, each number with n, its 95 % interval and its target.

    Numbers flatter where a volume was trained on: the weights' cards say which were. Exit status 1 where nothing could
    be measured; a missed target is a result, not a failure.

    Examples:

        vfscreen evaluate-model DATA/ct --only ircad_1_1 --only aitest_1

        vfscreen evaluate-model DATA --volume covid_ar=DATA/dicom/chest_ct --label-maps DATA/verse --degrade --json
    """
    from vfscreen.models.registry import load_models
    from vfscreen.morphometry.probability import GradeCalibration
    from vfscreen.report.reliability import reliability_png
    from vfscreen.settings import ScreeningSettings
    from vfscreen.training import model_calibration, model_table
    from vfscreen.training.vertebra_sources import label_maps as read_label_maps
    from vfscreen.training.vertebra_sources import readings as read_readings

    if plot is not None and not simulate:
        raise SettingsError("--plot draws simulated fractures: it needs --simulate of 1 or more")
    settings = ScreeningSettings()
    models = load_models(release, screening=settings)
    names = frozenset(only) if only else None
    try:
        spines = list(read_readings(readings, _volumes(volume or []), names, frozenset()))
    except FileNotFoundError as error:
        raise SettingsError(str(error)) from error
    if not spines:
        missing_work(f"no reading (NAME_six_points.json) was found in {readings}")
    calibration = models.endplates.grade_calibration if models.endplates is not None else GradeCalibration()
    screened = model_table.screen_all(spines, models, settings)
    rows = model_table.real_rows(screened)
    rows += model_calibration.certainty_rows(
        "real CT, whole chain: stated uncertainty", [s.as_volume_result() for s in screened], calibration
    )
    if simulate:
        simulated, group = model_table.simulate(spines, models, simulate), "simulated fractures on the same anatomy"
        rows += model_table.deep_rows(f"{group} (synthetic)", simulated)
        rows += model_calibration.probability_rows(f"{group} (synthetic)", simulated, calibration)
        rows += model_calibration.certainty_rows(f"{group}: stated uncertainty (synthetic)", simulated, calibration)
        if plot is not None:
            title = f"{models.release}: {group}, {', '.join(s.name for s in spines)}"
            curves = [(c.name, c.bins) for c in model_calibration.reliability_curves(simulated, calibration)]
            plot.write_bytes(reliability_png(curves, title))
    if label_maps is not None:
        maps = frozenset(only_map) if only_map else None
        rendered = model_table.screen_rendered(
            read_label_maps(label_maps, renders, maps, frozenset()), models, settings
        )
        rows += model_table.deep_rows("rendered label maps (synthetic)", [s.as_volume_result() for s in rendered])
        rows += model_table.published_rows("rendered label maps (synthetic)", rendered)
    if degrade:
        rows += model_table.degradation_rows(spines, models, settings)
    if json_output:
        print_json({"release": models.release, "volumes": [s.name for s in spines], "rows": rows})
    else:
        _print(models.release, rows)


def _volumes(entries: list[str]) -> dict[str, Path]:
    pairs = [entry.split("=", 1) for entry in entries]
    if any(len(pair) != 2 for pair in pairs):
        raise SettingsError("--volume takes NAME=PATH")
    return {name: Path(path) for name, path in pairs}


def _print(release: str, rows: list[TargetRow]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(f"release {release}")
    for group in dict.fromkeys(row.group for row in rows):
        table = Table("", "value", "95 % CI", "n", "target", "", title=group, title_justify="left")
        for row in (r for r in rows if r.group == group):
            value = "not measured" if row.value is None else f"{row.value:.3g} {row.unit}".rstrip()
            interval = "" if row.ci95 is None else f"{row.ci95[0]:.3g} to {row.ci95[1]:.3g}"
            met = "" if row.met is None else ("met" if row.met else "missed")
            table.add_row(row.name, value, interval, str(row.n), row.target, met)
        console.print(table)
