"""The sweep: index -> plan -> one Prefect task a shard on Dask -> suspects alone -> reconcile.

Belongs here: the order of the steps and what stops them. Does not belong here: how shards are handed out
(flows.dispatch), when a run counts as failed (flows.outcome), any screening (vfscreen).

A run may die at any moment and is resumed by running it again: the plan holds what has no receipt yet, landing a shard
twice changes nothing, and nothing else is remembered between runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any
from uuid import uuid4

import dask
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect_dask import DaskTaskRunner

from flows.clusters import Cluster, load_cluster
from flows.dispatch import Dispatcher, Ending, Outcome
from flows.launch import open_cluster
from flows.outcome import Counts, RunOutcome, SweepSummary, failed_checks, too_many_failures, verdict
from flows.progress import SweepProgress, show_progress, write_artifacts
from tasks.sweep import index_archive_task, record_lost_study_task, screen_shard_task
from vfscreen.cohort.prepared import prepare
from vfscreen.errors import ItemError, PlanOutdated, ReasonCode, SiteError, TooManyFailures, VfscreenError
from vfscreen.lake.ledger import ledger, run_checks
from vfscreen.lake.plan import Shard, iter_shards, single_study_shards
from vfscreen.lake.store import Lake
from vfscreen.models.registry import release_name
from vfscreen.screening.isolation import SHARD_FUNCTION
from vfscreen.settings import Settings, load_settings

LOST_MAX = 10
"""With this many shards lost by the machinery (not by a study) the run stops instead of losing the rest."""


@dataclass
class Sweep:
    """One run: what it was asked to do, and what it has done so far."""

    run_id: str
    archive: str
    lake: Lake
    settings: Settings
    model_release: str
    shard_function: str
    retry_failed: bool
    limit: int | None
    shard_studies: int
    started_at: datetime
    shards_planned: int = 0
    shards_done: int = 0
    counts: Counts = field(default_factory=Counts)
    lost_studies: list[str] = field(default_factory=list)
    without_receipt: int = 0
    pending_because: str = ""

    def plan(self) -> Iterable[Shard]:
        """Pending studies in shards, streamed."""
        return iter_shards(
            self.lake,
            self.model_release,
            shard_studies=self.shard_studies,
            retry_failed=self.retry_failed,
            limit=self.limit,
        )

    def write_row(self, outcome: RunOutcome | None = None, message: str | None = None) -> None:
        """The run's row in the lake; without an outcome it is still running (or was killed)."""
        self.lake.write_run(
            {
                "run_id": self.run_id,
                "started_at": self.started_at,
                "finished_at": datetime.now(UTC) if outcome else None,
                "archive": self.archive,
                "model_release": self.model_release,
                "vfscreen_version": version("vfscreen"),
                "settings_json": self.settings.model_dump_json(),
                "shards_planned": self.shards_planned,
                "shards_done": self.shards_done,
                "outcome": outcome,
                "message": message,
            }
        )

    def summary(self, outcome: RunOutcome, message: str | None, account: dict[str, Any] | None = None) -> SweepSummary:
        return SweepSummary(
            run_id=self.run_id,
            archive=self.archive,
            lake=self.lake.url,
            model_release=self.model_release,
            outcome=outcome,
            message=message,
            shards_planned=self.shards_planned,
            shards_done=self.shards_done,
            screened=self.counts.screened,
            rejected=self.counts.rejected,
            failed=self.counts.failed,
            lost_studies=tuple(self.lost_studies),
            seconds=(datetime.now(UTC) - self.started_at).total_seconds(),
            ledger=account or {},
        )


def new_run_id() -> str:
    """Sorts by time; unique between machines."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}"


@flow(name="vertebral-fracture-sweep", persist_result=False)
def sweep(
    archive: str,
    lake: str,
    settings_file: str | None = None,
    settings: dict[str, Any] | None = None,
    cluster: str = "local",
    workers: int | None = None,
    limit: int | None = None,
    retry_failed: bool = False,
    index: bool = True,
    shard_studies: int | None = None,
    model_release: str | None = None,
    shard_function: str = SHARD_FUNCTION,
) -> State[dict[str, Any]]:
    """Screen every pending study of `archive` into `lake`.

    archive, lake: folders or URLs. settings_file, settings: a YAML file, and sections that replace its. cluster: a name
    or file of flows.clusters. workers: replaces the cluster's number. limit: at most so many studies. retry_failed:
    take failed series up again. index: look for changes of the archive first. shard_studies: replaces the settings'.
    model_release, shard_function: what screens, for measuring the machinery itself.

    Returns a Completed or Failed state whose data is `SweepSummary.as_json()`. Raises SettingsError, LakeError and
    WeightsError before any work.
    """
    checked = load_settings(settings_file, **(settings or {}))
    model = load_cluster(cluster, workers)
    release = model_release or release_name(screening=checked.screening)
    with show_progress() as progress:
        if index:
            progress.step("indexing")
            index_archive_task(archive, lake, checked, progress.indexed)
        run = Sweep(
            run_id=new_run_id(),
            archive=archive,
            lake=Lake.open(lake),
            settings=checked,
            model_release=release,
            shard_function=shard_function,
            retry_failed=retry_failed,
            limit=limit,
            shard_studies=shard_studies or checked.sweep.shard_studies,
            started_at=datetime.now(UTC),
        )
        summary = _run(run, model, progress)
    write_artifacts(summary)
    state = Completed if summary.outcome == "completed" else Failed
    return state(message=summary.message or summary.outcome, data=summary.as_json())


def _run(run: Sweep, model: Cluster, progress: SweepProgress) -> SweepSummary:
    """Plan, screen, reconcile; the run's row says how it ended, whatever happens short of a kill."""
    progress.step("planning")
    run.shards_planned = sum(1 for _ in run.plan())
    run.write_row()
    try:
        if run.shards_planned:
            _screen(run, model, progress)
        progress.step("reconciling")
        account = ledger(run.lake, run.model_release).as_json()
        message = verdict(run.counts, account, run.without_receipt, run.limit is not None, run.settings.sweep)
        progress.step("checking")
        message = message or failed_checks(run_checks(run.lake, run.model_release))
        if message and run.pending_because:
            message += f" (a shard was left because: {run.pending_because})"
        outcome: RunOutcome = "failed" if message else "completed"
        run.write_row(outcome, message)
        progress.step("preparing queries")
        with suppress(SiteError):  # a cache: without it queries read the shards
            prepare(run.lake)
        return run.summary(outcome, message, account)
    except VfscreenError as error:
        outcome = "failed" if isinstance(error, TooManyFailures) else "stopped"
        with suppress(SiteError):  # a full disk takes no row either
            run.write_row(outcome, str(error))
        return run.summary(outcome, str(error))
    except BaseException as error:
        with suppress(SiteError):
            run.write_row("stopped", f"{type(error).__name__}: {error}")
        raise


def _screen(run: Sweep, model: Cluster, progress: SweepProgress) -> None:
    """Every planned shard on the cluster, then the suspects' studies one at a time. Raises SiteError to stop."""
    progress.step("starting workers")
    with open_cluster(model, run.settings.sweep.worker_attempts) as cluster:
        runner = DaskTaskRunner(address=cluster.address)
        with runner:

            def submit(shard: Shard) -> Any:
                parameters = {
                    "function": run.shard_function,
                    "archive": run.archive,
                    "lake_url": run.lake.url,
                    "shard": shard,
                    "settings": run.settings,
                    "run_id": run.run_id,
                }
                if not model.resources:
                    return runner.submit(screen_shard_task, parameters)
                with dask.annotate(resources=dict(model.resources)):
                    return runner.submit(screen_shard_task, parameters)

            dispatcher = Dispatcher(cluster, runner, submit)
            dispatcher.wait_for_workers()
            progress.shards(run.shards_planned)
            suspects = _first_round(run, dispatcher, progress)
            _isolate(run, dispatcher, suspects, progress)


def _first_round(run: Sweep, dispatcher: Dispatcher, progress: SweepProgress) -> list[Shard]:
    """All planned shards, two in flight a worker so that none waits for Prefect; returns the suspects."""
    suspects = []
    # closing: what is in flight is cancelled at once where an outcome stops the run
    with closing(dispatcher.run(run.plan(), lambda: max(2, 2 * dispatcher.worker_count()))) as outcomes:
        for back, outcome in enumerate(outcomes, start=1):
            if not _landed(run, outcome):
                if outcome.ending is Ending.LOST or isinstance(outcome.error, PlanOutdated):
                    _leave_pending(run, outcome)
                else:
                    suspects.append(outcome.shard)
            progress.shard_done(back, run.counts)
    return suspects


def _isolate(run: Sweep, dispatcher: Dispatcher, suspects: list[Shard], progress: SweepProgress) -> None:
    """Studies of the suspects one at a time, nothing else in flight, so that no neighbour is blamed."""
    singles = [single for shard in suspects for single in single_study_shards(run.model_release, shard)]
    run.shards_planned += len(singles) - len(suspects)
    with closing(dispatcher.run(singles, lambda: 1)) as outcomes:
        for outcome in outcomes:
            if not _landed(run, outcome):
                _record_lost(run, outcome)
            progress.shard_done(run.shards_done, run.counts, isolated=True)


def _landed(run: Sweep, outcome: Outcome) -> bool:
    """Counts the shard if its receipt is there. Raises TooManyFailures, or the error of the site it came back with
    (a full disk, weights or settings of a worker): that one is nobody's but the site's."""
    if isinstance(outcome.error, VfscreenError) and not isinstance(outcome.error, ItemError | PlanOutdated):
        raise outcome.error
    receipt = run.lake.receipt(outcome.shard.shard_id)
    if receipt is None:
        return False
    run.shards_done += 1
    run.counts.add(receipt)
    if message := too_many_failures(run.counts.screened, run.counts.failed, run.settings.sweep):
        raise TooManyFailures(message)
    return True


def _leave_pending(run: Sweep, outcome: Outcome) -> None:
    """The next run takes it up. SiteError where the machinery loses one shard after the other."""
    run.without_receipt += 1
    run.pending_because = outcome.detail or "its task returned without landing it"
    if run.without_receipt >= LOST_MAX:
        raise SiteError(f"{run.without_receipt} shards were lost, the last one because: {run.pending_because}")


_LOST_REASONS = {Ending.WORKER_DIED: ReasonCode.WORKER_DIED, Ending.RAISED: ReasonCode.INTERNAL_ERROR}


def _record_lost(run: Sweep, outcome: Outcome) -> None:
    """A study that failed alone becomes rows; one of which nobody knows what happened stays pending."""
    reason = _LOST_REASONS.get(outcome.ending)
    if reason is None or isinstance(outcome.error, PlanOutdated):
        _leave_pending(run, outcome)
        return
    receipt = record_lost_study_task(run.lake.url, outcome.shard, run.run_id, run.model_release, reason, outcome.detail)
    run.shards_done += 1
    run.counts.add(receipt)
    run.lost_studies.extend(outcome.shard.studies)
    if message := too_many_failures(run.counts.screened, run.counts.failed, run.settings.sweep):
        raise TooManyFailures(message)
