"""`vfscreen index`: scan an archive into the lake's manifest.

Belongs here: options, progress and output of the command. Does not belong here: the work (`screening.indexing`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from vfscreen.cli.common import missing_work, print_json
from vfscreen.errors import REASONS, ReasonCode


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("index")(index)


def index(
    archive: Annotated[str, typer.Argument(help="Folder or s3:// URL that holds the DICOM files.")],
    lake: Annotated[str, typer.Option(help="Folder or s3:// URL of the lake; made where it is absent.")],
    settings: Annotated[Path | None, typer.Option(help="Settings of the site (YAML).")] = None,
    processes: Annotated[
        int | None, typer.Option(min=0, help="Header readers; one a core by default, 0 reads in this process.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Scan an archive into the manifest: one row a file, one row a series with its reason.

    Only new and changed files are read. Nothing is screened: `vfscreen sweep` does both.

    Examples:

        vfscreen index /data/archive --lake /data/lake

        AWS_ENDPOINT_URL=https://s3.example.org vfscreen index s3://ct/2024 --lake s3://lakes/ct --json
    """
    # the readers take a second to import, which `vfscreen --help` should not wait for
    from vfscreen.screening.indexing import IndexSummary, index_archive
    from vfscreen.settings import load_settings

    with _Progress(quiet=as_json) as progress:
        summary: IndexSummary = index_archive(
            archive, lake, load_settings(settings), progress.update, processes=processes
        )
    if as_json:
        print_json(summary)
    else:
        _print(summary)
    if summary.files_seen == 0:
        missing_work(f"there is no file in {archive}")


class _Progress:
    """A progress bar on stderr."""

    def __init__(self, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=quiet,
        )
        self._task = self._bar.add_task("listing", total=None)

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    @property
    def update(self) -> Callable[..., None]:
        from vfscreen.screening.indexing import IndexProgress

        def show(state: IndexProgress) -> None:
            if state.files_to_read is None:
                self._bar.update(self._task, completed=state.files_listed)
            elif state.series:
                self._bar.update(self._task, description=f"describing series ({state.series})")
            else:
                self._bar.update(
                    self._task, description="reading headers", total=state.files_to_read, completed=state.files_read
                )

        return show


def _print(summary: object) -> None:
    from rich.console import Console
    from rich.table import Table

    from vfscreen.screening.indexing import IndexSummary

    assert isinstance(summary, IndexSummary)
    console = Console()
    console.print(
        f"{summary.files_seen} files ({summary.files_read} read, {summary.files_unchanged} unchanged) "
        f"in {summary.seconds:.1f} s: {summary.instances} instances, {summary.files_not_dicom} not DICOM images or "
        f"containers, {summary.files_unreadable} unreadable"
    )
    console.print(
        f"{summary.series_seen} series in {summary.studies} studies: {summary.series_selected} selected for screening"
    )
    table = Table("what", "reason", "count", "meaning")
    for what, reasons in (("file", summary.file_reasons), ("series", summary.series_reasons)):
        for code, count in reasons.items():
            table.add_row(what, code, str(count), REASONS[ReasonCode(code)])
    if table.row_count:
        console.print(table)
