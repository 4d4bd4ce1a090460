"""A sweep on a real Prefect server and real Dask workers: what lands, what is retried, when it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flows.outcome import SweepSummary
from tests.lake.builders import RELEASE, manifest_row, put_index, study_uid
from vfscreen.errors import SettingsError
from vfscreen.lake.ledger import ledger
from vfscreen.lake.store import Lake
from vfscreen.lake.views import connect

Sweep = Callable[..., SweepSummary]


def rows(lake: Lake, table: str) -> list[tuple[Any, ...]]:
    """Rows of a view but for what may differ between two runs of the same work."""
    excluded = "run_id, shard_id" + (", seconds_read, seconds_inference" if table == "series" else "")
    with connect(lake, RELEASE) as connection:
        return connection.execute(f"SELECT * EXCLUDE ({excluded}) FROM {table} ORDER BY ALL").fetchall()


def runs(lake: Lake) -> list[tuple[Any, ...]]:
    with connect(lake) as connection:
        return connection.execute(
            "SELECT outcome, shards_planned, shards_done, finished_at IS NOT NULL FROM runs ORDER BY started_at"
        ).fetchall()


def test_every_series_ends_in_a_row_and_a_second_run_does_nothing(lake: Lake, sweep_lake: Sweep) -> None:
    first = sweep_lake("land_all")
    assert (first.outcome, first.message) == ("completed", None)
    assert (first.shards_planned, first.shards_done) == (4, 4)
    assert (first.screened, first.rejected, first.failed) == (12, 12, 0)
    assert first.ledger["reconciles"] and first.ledger["pending"] == 0
    landed = rows(lake, "vertebrae")

    second = sweep_lake("land_all")
    assert (second.outcome, second.shards_planned, second.screened) == ("completed", 0, 0)
    assert rows(lake, "vertebrae") == landed
    assert runs(lake) == [("completed", 4, 4, True), ("completed", 0, 0, True)]


def test_limit_leaves_the_rest_pending_and_counts_as_done(lake: Lake, sweep_lake: Sweep) -> None:
    summary = sweep_lake("land_all", limit=5)
    assert (summary.outcome, summary.screened, summary.ledger["pending"]) == ("completed", 5, 14)


@pytest.mark.slow
@pytest.mark.parametrize("shard_studies", [1, 5, 64])
def test_rows_do_not_depend_on_the_shard_size(
    lake: Lake, sweep_lake: Sweep, shard_studies: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sweep_lake("land_all", shard_studies=shard_studies)
    other = Lake.create(tmp_path_factory.mktemp("other") / "lake")
    put_index(other, [manifest_row(study, series) for study in range(12) for series in range(2)])
    sweep_lake("land_all", lake=other.url)
    assert rows(lake, "vertebrae") == rows(other, "vertebrae")
    assert rows(lake, "series") == rows(other, "series")


@pytest.mark.slow
def test_a_study_that_kills_its_worker_is_recorded_and_its_neighbours_are_screened(
    lake: Lake, sweep_lake: Sweep
) -> None:
    summary = sweep_lake("kill_own_worker")
    assert summary.outcome == "completed"
    assert summary.lost_studies == (study_uid(7),)
    assert (summary.screened, summary.failed) == (11, 1)
    with connect(lake, RELEASE) as connection:
        failed = connection.execute(
            "SELECT StudyInstanceUID, stage, reason_code, message FROM series WHERE state = 'failed'"
        ).fetchall()
    assert [row[:3] for row in failed] == [(study_uid(7), "worker", "worker_died")]
    assert "2 worker processes died" in failed[0][3]
    assert ledger(lake, RELEASE).reconciles


@pytest.mark.slow
def test_a_worker_that_dies_once_costs_nothing(lake: Lake, sweep_lake: Sweep) -> None:
    summary = sweep_lake("kill_own_worker_once")
    assert (summary.outcome, summary.screened, summary.failed, summary.lost_studies) == ("completed", 12, 0, ())


@pytest.mark.slow
def test_an_unexpected_error_becomes_the_row_of_its_study_alone(lake: Lake, sweep_lake: Sweep) -> None:
    summary = sweep_lake("raise_unexpectedly")
    assert (summary.outcome, summary.screened, summary.failed) == ("completed", 11, 1)
    with connect(lake, RELEASE) as connection:
        found = connection.execute("SELECT reason_code, message FROM series WHERE state = 'failed'").fetchall()
    assert found == [("internal_error", "ZeroDivisionError: a defect of this program")]


@pytest.mark.slow
def test_failed_studies_are_taken_up_again_only_on_request(lake: Lake, sweep_lake: Sweep) -> None:
    sweep_lake("raise_unexpectedly")
    assert sweep_lake("land_all").shards_planned == 0
    repaired = sweep_lake("land_all", retry_failed=True)
    assert (repaired.outcome, repaired.screened, repaired.ledger["failed"]) == ("completed", 1, 0)


def test_a_full_disk_stops_the_run_and_the_next_one_resumes(lake: Lake, sweep_lake: Sweep) -> None:
    stopped = sweep_lake("fill_disk")
    assert stopped.outcome == "stopped"
    assert "no space left" in (stopped.message or "")
    assert runs(lake)[0][0] == "stopped"
    resumed = sweep_lake("land_all")
    assert (resumed.outcome, resumed.ledger["screened"], resumed.ledger["pending"]) == ("completed", 12, 0)
    assert resumed.shards_planned < 4 or stopped.shards_done == 0


def test_too_many_failures_fail_the_run(lake: Lake, sweep_lake: Sweep) -> None:
    summary = sweep_lake("fail_all", settings={"sweep": {"failed_count_min": 5}})
    assert summary.outcome == "failed"
    assert "above the limit of 20%" in (summary.message or "")


def test_a_run_in_which_everything_failed_is_not_a_success(sweep_lake: Sweep) -> None:
    summary = sweep_lake("fail_all", limit=3)
    assert summary.outcome == "failed"
    assert "every series that was tried failed" in (summary.message or "")


def test_a_task_that_says_it_is_done_without_a_receipt_is_not_believed(lake: Lake, sweep_lake: Sweep) -> None:
    summary = sweep_lake("skip_quietly")
    assert summary.outcome == "failed"
    assert "no receipt" in (summary.message or "")
    assert (summary.screened, summary.ledger["pending"]) == (11, 2)


def test_the_summary_is_in_prefect(sweep_lake: Sweep) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

    summary = sweep_lake("land_all")
    with get_client(sync_client=True) as client:
        found = {
            key: client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
            for key in ("sweep-summary", "sweep-reasons", "sweep-progress")
        }
    assert any(summary.run_id in str(artifact.data) for artifact in found["sweep-summary"])
    assert any("not_best_series" in str(artifact.data) for artifact in found["sweep-reasons"])
    assert any(artifact.data == 100.0 for artifact in found["sweep-progress"])


def test_wrong_settings_stop_before_any_work(lake: Lake, sweep_lake: Sweep) -> None:
    with pytest.raises(SettingsError, match=r"sweep\.worker_attempts"):
        sweep_lake("land_all", settings={"sweep": {"worker_attempts": 0}})
    assert runs(lake) == []


def test_a_worker_with_wrong_weights_stops_the_run_and_blames_no_study(lake: Lake, sweep_lake: Sweep) -> None:
    summary = sweep_lake("refuse_weights")
    assert (summary.outcome, summary.failed, summary.shards_done) == ("stopped", 0, 0)
    assert "reinstall vfscreen" in (summary.message or "")
    assert runs(lake) == [("stopped", 4, 0, True)]


def test_a_shard_function_that_no_worker_has_stops_the_run(sweep_lake: Sweep) -> None:
    summary = sweep_lake("of_another_release")
    assert (summary.outcome, summary.failed) == ("stopped", 0)
    assert "cannot be imported" in (summary.message or "")
