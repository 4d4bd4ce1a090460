"""How far a sweep is: a bar in the terminal, lines in Prefect's log elsewhere, and Prefect artifacts.

Belongs here: showing numbers. Does not belong here: computing them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.logging import get_run_logger
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from flows.outcome import Counts, SweepSummary
from vfscreen.screening.indexing import IndexProgress

_ARTIFACT_EVERY_S = 5.0


class SweepProgress:
    """Shows a sweep's steps. Writes to stderr only: stdout belongs to `--json`."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._step: TaskID = bar.add_task("starting", total=None, detail="")
        self._artifact: UUID | None = None
        self._shown_at = 0.0
        self._total = 0

    def step(self, text: str) -> None:
        """A step whose length is not known (indexing, planning, reconciling)."""
        self._bar.reset(self._step, total=None, description=text, detail="")
        get_run_logger().info(text)

    def indexed(self, seen: IndexProgress) -> None:
        """How far the index is."""
        detail = f"{seen.files_listed} files listed, {seen.files_read} headers read, {seen.series} series"
        self._bar.update(self._step, completed=seen.files_read, total=seen.files_to_read, detail=detail)

    def shards(self, total: int) -> None:
        """The screening step begins: `total` shards."""
        self._total = total
        self._bar.reset(self._step, total=total, description="screening", detail="")
        if total:
            artifact = create_progress_artifact(0.0, key="sweep-progress", description=f"{total} shards")
            self._artifact = artifact if isinstance(artifact, UUID) else None

    def shard_done(self, done: int, counts: Counts, isolated: bool = False) -> None:
        """`done` shards came back; `counts` are the run's series so far."""
        detail = f"series: {counts.screened} screened, {counts.rejected} rejected, {counts.failed} failed"
        if isolated:
            detail += " (trying suspects alone)"
        self._bar.update(self._step, completed=done, detail=detail)
        if self._artifact and (time.monotonic() - self._shown_at > _ARTIFACT_EVERY_S or done == self._total):
            self._shown_at = time.monotonic()
            update_progress_artifact(self._artifact, progress=100.0 * done / max(1, self._total))
            get_run_logger().info("%d of %d shards; %s", done, self._total, detail)


@contextmanager
def show_progress() -> Iterator[SweepProgress]:
    """A live bar where stderr is a terminal; nothing is drawn elsewhere, the log and the artifacts tell the same."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[detail]}", style="dim"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        yield SweepProgress(bar)


def write_artifacts(summary: SweepSummary) -> None:
    """The summary as Markdown and the ledger by reason as a table, in Prefect's UI."""
    rows: list[dict[str, Any]] = [
        {"reason": reason, "series": count} for reason, count in sorted(summary.ledger.get("reasons", {}).items())
    ]
    create_table_artifact(rows, key="sweep-reasons", description="Series not screened, by reason (whole lake)")
    lines = [
        f"# Sweep {summary.run_id}: {summary.outcome}",
        *([summary.message] if summary.message else []),
        "",
        "| | this run | whole lake |",
        "|---|---|---|",
        *(
            f"| {state} | {getattr(summary, state)} | {summary.ledger.get(state, '')} |"
            for state in ("screened", "rejected", "failed")
        ),
        f"| pending | | {summary.ledger.get('pending', '')} |",
        f"| shards | {summary.shards_done} of {summary.shards_planned} | {summary.ledger.get('shards', '')} |",
        "",
        f"Model release {summary.model_release}; {summary.seconds:.0f} s; "
        f"ledger reconciles: {summary.ledger.get('reconciles', 'not looked at')}.",
    ]
    create_markdown_artifact("\n".join(lines), key="sweep-summary", description=f"Sweep {summary.run_id}")
