"""`vfscreen sweep`, and `run_sweep` for who starts one from Python.

Belongs here: options, the summary in the terminal, the exit status. Does not belong here: the sweep (flows.sweep).
Prefect is imported when a sweep starts, not before: `vfscreen --help` loads this module.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.environment import prefect_server, quieten_prefect
from vfscreen.cli.common import ExitStatus, print_error, print_json

if TYPE_CHECKING:
    from flows.outcome import SweepSummary

EPILOG = """
**Examples**

`vfscreen sweep /data/ct --lake /data/lake` screens what is pending; run it again after anything, it resumes.

`vfscreen sweep s3://archive/2024 --lake s3://results/lake --cluster my-slurm.yaml` works alike on object storage.

`vfscreen sweep /data/ct --lake /data/lake --dry-run` indexes and says what would be done.

`vfscreen sweep /data/ct --lake /data/lake --limit 100 --json > summary.json` tries a hundred studies.
"""


def absolute(location: str) -> str:
    """A folder as an absolute path, since workers may run elsewhere; URLs as they are."""
    return location if "://" in location else str(Path(location).expanduser().absolute())


def run_sweep(archive: str, lake: str, **options: Any) -> SweepSummary:
    """Sweep `archive` into `lake`; options as `flows.sweep.sweep`. Returns the summary, also of a failed run.

    Raises VfscreenError where the sweep could not begin (settings, lake, weights). The caller looks at
    `summary.outcome`: only "completed" means that the asked work was done.
    """
    quieten_prefect()
    from flows.outcome import SweepSummary
    from flows.sweep import sweep

    with prefect_server():
        state = sweep(absolute(archive), absolute(lake), **options, return_state=True)
    result: Any = state.result(raise_on_failure=False)
    if isinstance(result, BaseException):
        raise result
    return SweepSummary.from_json(result)


def _print_summary(summary: SweepSummary) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for heading in ("", "this run", "whole lake"):
        table.add_column(heading, justify="right" if heading else "left")
    for state in ("screened", "rejected", "failed"):
        table.add_row(state, str(getattr(summary, state)), str(summary.ledger.get(state, "-")))
    table.add_row("pending", "", str(summary.ledger.get("pending", "-")))
    table.add_row(
        "shards", f"{summary.shards_done} of {summary.shards_planned}", str(summary.ledger.get("shards", "-"))
    )
    console = Console()
    console.print(f"sweep {summary.run_id}: {summary.outcome}")
    console.print(table)
    for study in summary.lost_studies:
        console.print(f"study {study} killed its worker each time it was tried and is recorded as failed")
    console.print(f"{summary.seconds:.0f} s, model release {summary.model_release}")


def register(app: typer.Typer) -> None:
    """Adds `sweep` to the command line."""

    @app.command("sweep", epilog=EPILOG)
    def sweep_command(
        archive: Annotated[str, typer.Argument(help="Folder or URL (s3://...) with DICOM files, in any order.")],
        lake: Annotated[str, typer.Option("--lake", help="Folder or URL of the results; made if absent.")],
        settings_file: Annotated[Path | None, typer.Option("--settings", help="YAML file of settings.")] = None,
        cluster: Annotated[str, typer.Option("--cluster", help="Name or YAML file of a cluster.")] = "local",
        workers: Annotated[int | None, typer.Option("--workers", min=1, help="Worker processes.")] = None,
        limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many studies.")] = None,
        shard_studies: Annotated[
            int | None, typer.Option("--shard-studies", min=1, help="Studies in one unit of work.")
        ] = None,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Index, say what would be done, write no result.")
        ] = False,
        retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Take failed series up again.")] = False,
        no_index: Annotated[bool, typer.Option("--no-index", help="Trust the manifest as it is.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    ) -> None:
        """Screen every pending study of an archive.

        Resumes after anything: what has a receipt in the lake is done, the rest is not. Exit status 0 only if all that
        was asked for is in the lake and the ledger reconciles.
        """
        if dry_run:
            from flows.dry_run import as_text, plan_only

            plan = plan_only(
                absolute(archive),
                absolute(lake),
                settings_file,
                cluster,
                workers,
                limit,
                retry_failed,
                not no_index,
                shard_studies,
            )
            print_json(plan) if as_json else typer.echo(as_text(plan))
            return
        summary = run_sweep(
            archive,
            lake,
            settings_file=str(settings_file) if settings_file else None,
            cluster=cluster,
            workers=workers,
            limit=limit,
            retry_failed=retry_failed,
            index=not no_index,
            shard_studies=shard_studies,
        )
        if as_json:
            print_json(summary.as_json())
        else:
            _print_summary(summary)
        if summary.outcome != "completed":
            print_error(summary.message or f"the sweep {summary.outcome}")
            raise typer.Exit(ExitStatus.FAILED)
