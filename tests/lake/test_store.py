"""Landing shards: whole, once, the same bytes for the same rows, whoever dies or races."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.lake.builders import RELEASE, ended, land, manifest_row, put_index, table_rows
from vfscreen.errors import LakeError, StorageFull
from vfscreen.lake import paths
from vfscreen.lake.ledger import ledger, receipt_problem
from vfscreen.lake.store import Lake
from vfscreen.schema.tables import RECEIPTS, RUNS, SERIES, VERTEBRAE


def test_create_then_open(tmp_path: Path) -> None:
    assert Lake.create(tmp_path / "l").url == Lake.open(tmp_path / "l").url == Lake.create(tmp_path / "l").url


def test_no_lake_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="vfscreen index"):
        Lake.open(tmp_path)


def test_another_layout_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lake.json").write_text('{"layout_version": 99}')
    with pytest.raises(LakeError, match="layout 99"):
        Lake.open(tmp_path)
    with pytest.raises(LakeError, match="layout 99"):
        Lake.create(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"layout'])
def test_a_damaged_lake_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "lake.json").write_text(text)
    with pytest.raises(LakeError, match="damaged"):
        Lake.open(tmp_path)


def test_a_folder_of_other_things_is_not_made_a_lake(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("x")
    with pytest.raises(LakeError, match=r"thesis\.docx"):
        Lake.create(tmp_path)


def test_a_shard_lands_with_a_receipt_that_matches_its_files(lake: Lake) -> None:
    ends = [ended(manifest_row(1)), ended(manifest_row(1, 1)), ended(manifest_row(2), state="failed", stage="decode",
            reason_code="decode_failed")]  # fmt: skip
    receipt = land(lake, "s1", ends)
    assert receipt_problem(lake, receipt) is None
    counts = {k: v for k, v in receipt.items() if k.endswith("_count")}
    assert counts == {
        "series_count": 3, "screened_count": 1, "rejected_count": 1, "failed_count": 1, "vertebra_count": 2,
        "film_count": 0,
    }  # fmt: skip
    series = table_rows(SERIES, lake.read_bytes(receipt["series_path"]))
    assert [r["state"] for r in series] == ["screened", "rejected", "failed"]
    assert {(r["shard_id"], r["run_id"], r["model_release"]) for r in series} == {("s1", "run-1", RELEASE)}
    assert lake.receipts() == [receipt]
    assert lake.receipt("s1") == receipt


def test_landing_again_changes_nothing(lake: Lake) -> None:
    first = land(lake, "s1", [ended(manifest_row(1))])
    before = {p: p.read_bytes() for p in Path(lake.url).rglob("*") if p.is_file()}
    assert land(lake, "s1", [ended(manifest_row(1), losses=(0.5,))], run_id="run-2") == first
    assert {p: p.read_bytes() for p in Path(lake.url).rglob("*") if p.is_file()} == before


def test_same_rows_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    ends = [ended(manifest_row(n)) for n in range(5)]
    one, two = Lake.create(tmp_path / "1"), Lake.create(tmp_path / "2")
    first, second = land(one, "s", ends), land(two, "s", [(s, v[::-1]) for s, v in ends[::-1]])
    assert first["series_sha256"] == second["series_sha256"]
    assert first["vertebrae_sha256"] == second["vertebrae_sha256"]


def test_provenance_is_in_the_file(lake: Lake) -> None:
    receipt = land(lake, "s", [ended(manifest_row(1))])
    metadata = pq.read_schema(Path(lake.url) / receipt["vertebrae_path"]).metadata
    assert metadata[b"vfscreen.table"] == b"vertebrae"
    assert metadata[b"vfscreen.version"] == str(VERTEBRAE.version).encode()
    assert metadata[b"vfscreen.program_version"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s, v: s.append(dict(s[0])), "more than one row"),
        (lambda s, v: v.pop(), "says 2 vertebrae, 1 rows came"),
        (lambda s, v: v.append({**v[0], "SeriesInstanceUID": "9.9"}), "has not screened"),
        (lambda s, v: v.append(dict(v[0])), "rows came"),
        (lambda s, v: s[0].update(state="rejected"), "without a reason_code"),
        (lambda s, v: s[0].update(colour="red"), "no column"),
        (lambda s, v: v[0].update(anterior_height_mm=float("nan")), "null with a reason"),
        (lambda s, v: v[0].update(genant_grade=4), "above 3"),
        (lambda s, v: s[0].update(shard_id="another"), "not 's1'"),
        (lambda s, v: v[0].update(model_release="another"), "model_release"),
    ],
)
def test_rows_that_contradict_are_refused_and_nothing_lands(lake: Lake, spoil: Any, message: str) -> None:
    series, vertebrae = ended(manifest_row(1))
    rows = [series], vertebrae
    spoil(*rows)
    with pytest.raises(ValueError, match=message):
        lake.write_shard("s1", "run", RELEASE, *rows)
    assert lake.receipts() == []
    assert lake.store.list_files(paths.SERIES) == []


def test_a_shard_whose_file_was_removed_lands_again(lake: Lake) -> None:
    receipt = land(lake, "s1", [ended(manifest_row(1))])
    lake.store.remove(receipt["vertebrae_path"])
    assert lake.receipt("s1") is None
    again = land(lake, "s1", [ended(manifest_row(1))], run_id="run-2")
    assert again["run_id"] == "run-2"
    assert lake.receipts() == [again]
    assert receipt_problem(lake, again) is None


def test_a_run_is_replaced_by_its_end(lake: Lake) -> None:
    from datetime import UTC, datetime

    row = {
        "run_id": "r1", "started_at": datetime(2026, 1, 2, tzinfo=UTC), "archive": "a", "model_release": RELEASE,
        "vfscreen_version": "0", "settings_json": "{}",
    }  # fmt: skip
    lake.write_run(row)
    lake.write_run({**row, "outcome": "completed"})
    (found,) = table_rows(RUNS, lake.read_bytes(paths.run_file("r1")))
    assert found["outcome"] == "completed"
    assert found["started_at"] == row["started_at"]


def test_only_overlays_are_written_by_name(lake: Lake) -> None:
    lake.write_bytes("overlays/1/2.png", b"png")
    assert lake.read_bytes("overlays/1/2.png") == b"png"
    with pytest.raises(ValueError, match="overlays"):
        lake.write_bytes("receipts/shard-x.parquet", b"")


def test_orphans_of_dead_writers_are_cleared_after_a_day(lake: Lake) -> None:
    receipt = land(lake, "s1", [ended(manifest_row(1))])
    lake.store.write_bytes(f"{paths.SERIES}/shard-dead-0.parquet", b"no receipt names me")
    assert lake.remove_left_overs() == 0
    for folder in (paths.SERIES, paths.VERTEBRAE):
        for info in lake.store.list_files(folder):
            os.utime(lake.store.full(info.path), (0, 0))
    assert lake.remove_left_overs() == 1
    assert receipt_problem(lake, receipt) is None


def test_full_disk_leaves_no_receipt_and_no_half_file(full_disk: Path) -> None:
    lake = Lake.create(full_disk / "lake")
    landed = land(lake, "first", [ended(manifest_row(0))])
    lake.write_bytes("overlays/filler", os.urandom(900 << 10))
    many = [ended(manifest_row(n), message=os.urandom(300).hex()) for n in range(1, 1000)]
    with pytest.raises(StorageFull):
        land(lake, "second", many)
    assert lake.receipts() == [landed]
    assert receipt_problem(lake, landed) is None
    assert not list((full_disk / "lake").rglob(".tmp-*"))
    lake.store.remove("overlays/filler")
    assert land(lake, "second", many[:100])["series_count"] == 100


RACER = """
import sys, time
from tests.lake.builders import ended, land, manifest_row
from vfscreen.lake.store import Lake
lake = Lake.open(sys.argv[1])
run = sys.argv[2]
print("ready", flush=True)
time.sleep(max(0.0, float(sys.argv[3]) - time.time()))
for shard in range(int(sys.argv[4])):
    land(lake, f"s{shard}", [ended(manifest_row(shard), seconds_read=float(len(run)))], run_id=run)
"""


def test_two_sweeps_at_once_leave_receipts_that_match_their_files(lake: Lake) -> None:
    """Two processes land the same shards with different timings in their rows (so different bytes) at one moment."""
    put_index(lake, [manifest_row(n) for n in range(30)])
    start = str(time.time() + 4)
    racers = [
        subprocess.Popen([sys.executable, "-c", RACER, lake.url, run, start, "30"]) for run in ("run", "other-run")
    ]
    assert [r.wait(120) for r in racers] == [0, 0]
    account = ledger(lake)
    assert account.problems == ()
    assert (account.screened, account.pending, account.shards) == (30, 0, 30)
    named = {r[n] for r in lake.receipts() for n in ("series_path", "vertebrae_path")}
    stored = {f.path for folder in (paths.SERIES, paths.VERTEBRAE) for f in lake.store.list_files(folder)}
    assert stored == named, "the slower writer's files were not removed"


def test_killed_writers_leave_whole_shards_or_none(lake: Lake) -> None:
    """kill -9 of a process that lands shards, again and again; whoever comes next lands the rest."""
    put_index(lake, [manifest_row(n) for n in range(30)])
    kills = 0
    for attempt in range(25):
        process = subprocess.Popen([sys.executable, "-c", RACER, lake.url, f"run-{attempt}", "0", "30"],
                                   stdout=subprocess.PIPE)  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.004 * (attempt % 7) + 0.002)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
        process.stdout.close()
        account = ledger(lake)
        assert account.problems == ()
        assert account.screened + account.pending == 30
    assert kills >= 10
    assert subprocess.run([sys.executable, "-c", RACER, lake.url, "last", "0", "30"], check=True).returncode == 0
    account = ledger(lake)
    assert (account.screened, account.pending, account.problems) == (30, 0, ())


finite = st.floats(0, 1, allow_nan=False)
text = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=20)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.lists(
        st.fixed_dictionaries(
            {"SeriesDescription": st.none() | text, "seconds_read": st.none() | finite},
            optional={"sdi": st.integers(0, 39), "InstitutionName": text, "sdi_levels_assessed": st.lists(text)},
        ),
        max_size=5,
    ),
    losses=st.lists(finite.filter(lambda x: x < 1), max_size=13),
)
def test_rows_round_trip(tmp_path_factory: pytest.TempPathFactory, data: list[Any], losses: list[float]) -> None:
    lake = Lake.create(tmp_path_factory.mktemp("lake"))
    ends = [ended(manifest_row(n), losses, **values) for n, values in enumerate(data)]
    receipt = land(lake, "s", ends)
    common = {"shard_id": "s", "run_id": "run-1", "model_release": RELEASE}
    for table, rows, column in (
        (SERIES, [s for s, _ in ends], "series_path"),
        (VERTEBRAE, [v for _, vs in ends for v in vs], "vertebrae_path"),
    ):
        empty = {c.name: None for c in table.columns}
        assert table_rows(table, lake.read_bytes(receipt[column])) == [{**empty, **row, **common} for row in rows]
    assert table_rows(RECEIPTS, lake.read_bytes(paths.receipt_file("s"))) == [receipt]
