"""What is pending, and shards that are the same whoever plans them."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.lake.builders import RELEASE, ended, land, manifest_row, put_index, series_uid, study_uid
from vfscreen.ingest import decode
from vfscreen.lake.ledger import ledger
from vfscreen.lake.plan import Shard, pending_studies, plan_shards, single_study_shards
from vfscreen.lake.store import Lake

FAILED = {"state": "failed", "stage": "decode", "reason_code": "decode_failed"}


def finish(lake: Lake, shard: Shard, manifest: list[dict[str, object]], **values: object) -> None:
    by_series = {m["SeriesInstanceUID"]: m for m in manifest}
    land(lake, shard.shard_id, [ended(by_series[s], **values) for _, s, _ in shard.series])


def test_every_series_of_every_study_is_planned_once(lake: Lake) -> None:
    manifest = [manifest_row(n, s) for n in range(10) for s in range(3)]
    put_index(lake, manifest)
    shards = plan_shards(lake, RELEASE, shard_studies=4)
    assert [len(s.studies) for s in shards] == [4, 4, 2]
    planned = [key for shard in shards for key in shard.series]
    assert planned == sorted((m["StudyInstanceUID"], m["SeriesInstanceUID"], "f0") for m in manifest)
    assert len({s.shard_id for s in shards}) == 3
    assert pickle.loads(pickle.dumps(shards)) == shards


def test_the_plan_is_the_same_twice_and_differs_by_release(lake: Lake) -> None:
    put_index(lake, [manifest_row(n) for n in range(5)])
    assert plan_shards(lake, "r1", shard_studies=2) == plan_shards(lake, "r1", shard_studies=2)
    ids = [{s.shard_id for s in plan_shards(lake, release, shard_studies=2)} for release in ("r1", "r2")]
    assert not ids[0] & ids[1]


def test_landed_shards_are_not_planned_again(lake: Lake) -> None:
    manifest = [manifest_row(n, s) for n in range(6) for s in range(2)]
    put_index(lake, manifest)
    first, *rest = plan_shards(lake, RELEASE, shard_studies=2)
    finish(lake, first, manifest)
    assert plan_shards(lake, RELEASE, shard_studies=2) == rest
    for shard in rest:
        finish(lake, shard, manifest)
    assert plan_shards(lake, RELEASE) == []
    assert len(plan_shards(lake, "another-release")) == 1


def test_a_study_with_a_new_series_is_planned_whole(lake: Lake) -> None:
    manifest = [manifest_row(n) for n in range(3)]
    put_index(lake, manifest)
    finish(lake, plan_shards(lake, RELEASE)[0], manifest)
    grown = [*manifest, manifest_row(1, 1)]
    put_index(lake, grown, name="1")
    (shard,) = plan_shards(lake, RELEASE)
    assert [s for _, s, _ in shard.series] == [series_uid(1, 0), series_uid(1, 1)]
    finish(lake, shard, grown)
    assert plan_shards(lake, RELEASE) == []
    assert ledger(lake).problems == ()


def test_changed_files_and_turned_selections_are_planned_and_end(lake: Lake) -> None:
    manifest = [manifest_row(1, 0), manifest_row(1, 1)]
    put_index(lake, manifest)
    finish(lake, plan_shards(lake, RELEASE)[0], manifest)
    changed = [manifest_row(1, 0, fingerprint="f1"), manifest_row(1, 1)]
    turned = [
        manifest_row(1, 0, selected=False, stage="select", reason_code="not_best_series"),
        manifest_row(1, 1, selected=True, stage=None, reason_code=None),
    ]
    seen = set()
    for name, index in (("1", changed), ("2", turned)):
        put_index(lake, index, name=name)
        (shard,) = plan_shards(lake, RELEASE)
        assert shard.shard_id not in seen
        seen.add(shard.shard_id)
        finish(lake, shard, index)
        assert plan_shards(lake, RELEASE) == []


def test_failed_series_are_done_until_a_retry_is_asked_for(lake: Lake) -> None:
    manifest = [manifest_row(n) for n in range(3)]
    put_index(lake, manifest)
    (shard,) = plan_shards(lake, RELEASE)
    bad = {study_uid(1)}
    ends = [ended(m, **(FAILED if m["StudyInstanceUID"] in bad else {})) for m in manifest]
    land(lake, shard.shard_id, ends)
    assert plan_shards(lake, RELEASE) == []
    retries = []
    for _ in range(3):
        (retry,) = plan_shards(lake, RELEASE, retry_failed=True)
        assert plan_shards(lake, RELEASE, retry_failed=True) == [retry]
        assert retry.studies == (study_uid(1),)
        assert lake.receipt(retry.shard_id) is None, "a retry whose shard has landed would be skipped"
        retries.append(retry.shard_id)
        finish(lake, retry, manifest, **FAILED)
    (last,) = plan_shards(lake, RELEASE, retry_failed=True)
    finish(lake, last, manifest)
    assert plan_shards(lake, RELEASE, retry_failed=True) == []
    assert len({shard.shard_id, *retries, last.shard_id}) == 5


@pytest.mark.parametrize("stage", ["read", "decode", "locate", "detect", "measure", "worker"])
@pytest.mark.parametrize("state", ["rejected", "failed"])
def test_a_selected_series_that_left_the_chain_is_done(lake: Lake, stage: str, state: str) -> None:
    put_index(lake, [manifest_row(1)])
    (shard,) = plan_shards(lake, RELEASE)
    finish(lake, shard, [manifest_row(1)], state=state, stage=stage, reason_code="decode_failed")
    assert plan_shards(lake, RELEASE) == []


def test_decoding_never_uses_a_stage_of_the_index() -> None:
    """It would leave the series pending for ever: such a row reads as one from before the series was selected."""
    source = inspect.getsource(decode)
    assert "Stage.DECODE" in source
    assert not [s for s in ("Stage.SCAN", "Stage.ACCEPT", "Stage.SELECT") if s in source]


def test_a_shard_that_lost_a_file_is_planned_again(lake: Lake) -> None:
    manifest = [manifest_row(1)]
    put_index(lake, manifest)
    (shard,) = plan_shards(lake, RELEASE)
    finish(lake, shard, manifest)
    lake.store.remove(lake.receipts()[0]["series_path"])
    assert plan_shards(lake, RELEASE) == [shard]
    finish(lake, shard, manifest)
    assert plan_shards(lake, RELEASE) == []


def test_limit_takes_the_first_studies(lake: Lake) -> None:
    put_index(lake, [manifest_row(n) for n in range(9)])
    assert [p.StudyInstanceUID for p in pending_studies(lake, RELEASE, limit=4)] == [study_uid(n) for n in range(4)]
    assert [len(s.studies) for s in plan_shards(lake, RELEASE, shard_studies=3, limit=4)] == [3, 1]


def test_a_shard_holds_at_least_one_study(lake: Lake) -> None:
    with pytest.raises(ValueError, match="at least one"):
        plan_shards(lake, RELEASE, shard_studies=0)


def test_a_shard_is_cut_into_its_studies(lake: Lake) -> None:
    put_index(lake, [manifest_row(n, s) for n in range(3) for s in range(2)])
    (shard,) = plan_shards(lake, RELEASE)
    singles = single_study_shards(RELEASE, shard)
    assert [s.studies for s in singles] == [(study_uid(n),) for n in range(3)]
    assert tuple(k for s in singles for k in s.series) == shard.series
    assert len({shard.shard_id, *(s.shard_id for s in singles)}) == 4


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    series_of=st.lists(st.integers(1, 4), min_size=1, max_size=12),
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    data=st.data(),
)
def test_any_sequence_of_interrupted_sweeps_ends_with_every_series_done(
    tmp_path_factory: pytest.TempPathFactory, series_of: list[int], sizes: list[int], data: st.DataObject
) -> None:
    """Each sweep has its own shard size and lands some of its shards; the last lands all."""
    lake = Lake.create(tmp_path_factory.mktemp("lake"))
    manifest = [manifest_row(n, s) for n, count in enumerate(series_of) for s in range(count)]
    put_index(lake, manifest)
    for size in sizes:
        shards = plan_shards(lake, RELEASE, shard_studies=size)
        for shard in data.draw(st.lists(st.sampled_from(shards), unique=True)) if shards else []:
            finish(lake, shard, manifest)
    for shard in plan_shards(lake, RELEASE):
        finish(lake, shard, manifest)
    account = ledger(lake)
    assert account.problems == ()
    assert (account.screened, account.rejected, account.pending) == (
        len(series_of), sum(series_of) - len(series_of), 0,
    )  # fmt: skip
    assert plan_shards(lake, RELEASE) == []


BIG = """
import sys, time
from pathlib import Path
from vfscreen.lake.plan import iter_shards
from vfscreen.lake.store import Lake
lake = Lake.open(sys.argv[1])
start = time.perf_counter()
studies = series = 0
for shard in iter_shards(lake, "r", shard_studies=64):
    studies += len(shard.studies)
    series += len(shard.series)
# not ru_maxrss: a new process starts with its parent's
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(studies, series, time.perf_counter() - start, int(peak.split()[1]) / 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc, which Linux has")
def test_a_hundred_thousand_studies_plan_in_seconds_and_little_memory(lake: Lake) -> None:
    studies = 100_000
    put_index(lake, [manifest_row(n, s) for n in range(studies) for s in range(3)], files=[])
    run = subprocess.run([sys.executable, "-c", BIG, lake.url], capture_output=True, text=True, check=True)
    found_studies, found_series, seconds, peak_mib = map(float, run.stdout.split())
    assert (found_studies, found_series) == (studies, 3 * studies)
    assert seconds < 15
    assert peak_mib < 500
