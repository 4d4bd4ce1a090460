"""`vfscreen evaluate`. Belongs here: options, printing, the exit status; the work is flows.evaluate's.

Prefect is imported when an evaluation starts, not before: `vfscreen --help` loads this module.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli import absolute
from flows.environment import prefect_server, quieten_prefect
from vfscreen.cli.common import ExitStatus, missing_work, print_error, print_json

EPILOG = """
**Examples**

`vfscreen evaluate --lake /data/lake --reference readings.csv --out evaluation` compares and writes a report.

`vfscreen evaluate --lake LAKE --reference readings/ --consensus majority --out evaluation` has several readers.

`vfscreen evaluate --lake LAKE --reference ct/ --series-map series.csv --out evaluation` takes six-point readings.

`vfscreen evaluate --lake LAKE --reference test.csv --tuning-reference tune.csv --out evaluation` tunes on others.

`vfscreen evaluate --lake LAKE --reference readings.csv --dry-run --json` says what would be compared.
"""


def run_evaluation(lake: str, reference: list[str], out: str, **options: Any) -> tuple[dict[str, Any], str | None]:
    """Evaluate with options as `flows.evaluate.evaluation`. Returns the summary and why it is not whole, or None.

    Raises VfscreenError where nothing could be compared.
    """
    quieten_prefect()
    from flows.evaluate import evaluation

    with prefect_server():
        state = evaluation(
            absolute(lake), [absolute(r) for r in reference], absolute(out), **options, return_state=True
        )
    result: Any = state.result(raise_on_failure=False)
    if isinstance(result, BaseException):
        raise result
    return result, None if state.is_completed() else state.message


def register(app: typer.Typer) -> None:
    """Adds `evaluate` to the command line."""

    @app.command("evaluate", epilog=EPILOG)
    def evaluate_command(
        lake: Annotated[str, typer.Option("--lake", help="Folder or URL of the lake.")],
        reference: Annotated[
            list[str],
            typer.Option("--reference", help="Readings: CSV, Parquet, *_six_points.json, or a folder of them."),
        ],
        out: Annotated[Path | None, typer.Option("--out", help="Folder of the report; replaces a former one.")] = None,
        consensus: Annotated[
            str | None, typer.Option("--consensus", help="single, majority, median, adjudicated or reader:NAME.")
        ] = None,
        series_map: Annotated[
            str | None, typer.Option("--series-map", help="CSV: volume, StudyInstanceUID, SeriesInstanceUID.")
        ] = None,
        tuning_reference: Annotated[
            list[str] | None,
            typer.Option("--tuning-reference", help="Readings of other patients, to choose a threshold on."),
        ] = None,
        model_release: Annotated[
            str | None, typer.Option("--model-release", help="Rows of this release; default: each series' newest.")
        ] = None,
        settings_file: Annotated[Path | None, typer.Option("--settings", help="YAML file of settings.")] = None,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Pair, say what would be compared, write nothing.")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    ) -> None:
        """Compare a lake with readers and write tables, figures, checklists and a page.

        docs/evaluation.md says what the readers' files hold, how numbers are made and how to read them. Exit status 0
        only if the whole report was written.
        """
        settings = str(settings_file) if settings_file else None
        located = absolute(series_map) if series_map else None
        tuning = [absolute(t) for t in tuning_reference or ()]
        if dry_run:
            from flows.evaluate import evaluation_settings, plan

            checked = evaluation_settings(settings, None, consensus)
            references = [absolute(r) for r in reference]
            planned = plan(absolute(lake), references, checked, located, tuning, model_release)
            print_json(planned) if as_json else typer.echo(_plan_text(planned))
            return
        if out is None:
            print_error("say where the report goes: --out FOLDER (or --dry-run)")
            raise typer.Exit(ExitStatus.USAGE)
        summary, message = run_evaluation(
            lake,
            reference,
            str(out),
            settings_file=settings,
            consensus=consensus,
            series_map=located,
            tuning_reference=tuning,
            model_release=model_release,
        )
        print_json(summary) if as_json else _print_summary(summary)
        if message:
            missing_work(message)


def _plan_text(plan: dict[str, Any]) -> str:
    return (
        f"would compare {plan['vertebrae_evaluable']} of {plan['vertebrae_with_reference']} vertebrae that were read "
        f"and {plan['patients']} patients ({plan['studies_screened']} of {plan['studies']} studies screened, "
        f"{plan['studies_in_lake']} in the lake); rule {plan['rule']} of {len(plan['readers'])} reader(s); "
        "nothing was written"
    )


def _print_summary(summary: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from flows.evaluate import SHOWN

    table = Table("patients", "", "estimate", "95 % interval", "n")
    for row in summary["metrics"]:
        if row["level"] == "patient" and row["analysis"] == "intention_to_screen" and row["name"] in SHOWN:
            estimate = row["reason"] or "" if row["estimate"] is None else f"{row['estimate']:.3f}"
            interval = "" if row["low"] is None else f"{row['low']:.3f} - {row['high']:.3f}"
            table.add_row(row["target"], row["name"], estimate, interval, str(row["n"]))
    console = Console()
    console.print(
        f"{summary['patients_evaluable']} of {summary['patients_with_reference']} patients and "
        f"{summary['vertebrae_evaluable']} of {summary['vertebrae_with_reference']} vertebrae with a reference were "
        "evaluable; those that were not count as not flagged below"
    )
    console.print(table)
    for note in summary["notes"]:
        console.print(note)
    console.print(f"report: {summary['folder']}/evaluation.html")
