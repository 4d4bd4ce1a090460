"""Truncated and bit-flipped files: their series end with a reason, their neighbours as if nothing were wrong."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.bead_archive import HERE, RELEASE, flip_bits, write_archive
from tests.faults.conftest import SweepProcess
from tests.s3_server import S3Server
from vfscreen.lake.ledger import ledger
from vfscreen.lake.store import Lake
from vfscreen.lake.views import connect

Start = Callable[..., SweepProcess]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

OPTIONS: dict[str, Any] = {"model_release": RELEASE, "shard_function": f"{HERE}:screen_beads", "index": True}
PIXEL_DATA = b"\xe0\x7f\x10\x00"
FINDINGS = "anterior_height_mm, middle_height_mm, posterior_height_mm, genant_grade, vertebra_level"


def states(lake: Lake) -> dict[str, tuple[str, str | None, int]]:
    """State, reason and number of vertebrae by StudyInstanceUID."""
    with connect(lake, RELEASE) as connection:
        found = connection.execute(
            "SELECT s.StudyInstanceUID, state, s.reason_code, count(v.vertebra_index) FROM series AS s "
            "LEFT JOIN vertebrae AS v USING (StudyInstanceUID, SeriesInstanceUID) GROUP BY ALL"
        ).fetchall()
    return {study: (state, reason, count) for study, state, reason, count in found}


def findings(lake: Lake, study: str) -> list[tuple[Any, ...]]:
    with connect(lake, RELEASE) as connection:
        return connection.execute(
            f"SELECT vertebra_index, {FINDINGS} FROM vertebrae WHERE StudyInstanceUID = ? ORDER BY 1", [study]
        ).fetchall()


def test_damage_stays_where_it_is(tmp_path: Path, start_sweep: Start) -> None:
    archive = tmp_path / "archive"
    written = write_archive(archive)
    chance = random.Random(3)
    victim = written["cut"][20]
    victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    for path in written["flipped"][10:60]:
        scan = path.read_bytes().index(PIXEL_DATA) + 80  # past the headers of element, fragment and JPEG-LS stream
        flip_bits(path, chance, scan, path.stat().st_size, bits=40)
    for path in written["headers"][::7]:
        flip_bits(path, chance, 0, 1200, bits=25)

    status, summary = start_sweep(str(tmp_path / "lake"), archive=str(archive), **OPTIONS).finish()
    assert (status, summary["outcome"]) == (0, "completed"), summary["message"]
    lake = Lake.open(tmp_path / "lake")
    found = states(lake)
    assert found["1.2.3.1"] == ("screened", None, 6)
    assert found["1.2.3.5"] == ("screened", None, 6)
    assert findings(lake, "1.2.3.1") == findings(lake, "1.2.3.5")
    assert found["1.2.3.2"] == ("failed", "pixel_data_truncated", 0)
    assert found["1.2.3.4"][0] == "failed"
    for state, reason, _ in found.values():
        assert state == "screened" or reason is not None
    account = ledger(lake, RELEASE)
    assert account.reconciles, account.problems
    assert account.files_seen == sum(map(len, written.values()))


def test_files_that_change_after_the_index_are_noticed_and_the_next_run_takes_them_up(
    tmp_path: Path, start_sweep: Start
) -> None:
    archive, lake_url = tmp_path / "archive", str(tmp_path / "lake")
    written = write_archive(archive)
    from vfscreen.screening.indexing import index_archive
    from vfscreen.settings import Settings

    index_archive(str(archive), lake_url, Settings(), processes=0)
    whole = written["cut"][5].read_bytes()
    written["cut"][5].write_bytes(whole[:-1000])
    written["headers"][5].unlink()
    start_sweep(lake_url, archive=str(archive), **{**OPTIONS, "index": False}).finish()
    found = states(Lake.open(lake_url))
    assert found["1.2.3.1"] == ("screened", None, 6)
    assert {found["1.2.3.2"][0], found["1.2.3.3"][0]} == {"failed"}

    written["cut"][5].write_bytes(whole)
    status, summary = start_sweep(lake_url, archive=str(archive), **OPTIONS).finish()
    assert (status, summary["outcome"]) == (0, "completed"), summary["message"]
    assert states(Lake.open(lake_url))["1.2.3.2"] == ("screened", None, 6)
    assert findings(Lake.open(lake_url), "1.2.3.2") == findings(Lake.open(lake_url), "1.2.3.1")


def test_archive_and_lake_on_s3_give_the_rows_of_a_folder(
    tmp_path: Path, start_sweep: Start, s3_server: S3Server
) -> None:
    import s3fs

    written = write_archive(tmp_path / "archive")
    bucket = s3_server.new_bucket("beads")
    s3fs.S3FileSystem().put(str(tmp_path / "archive"), f"{bucket}/archive", recursive=True)
    status, summary = start_sweep(f"{bucket}/lake", archive=f"{bucket}/archive", **OPTIONS).finish()
    assert (status, summary["screened"], summary["failed"]) == (0, len(written), 0), summary["message"]
    status, _ = start_sweep(str(tmp_path / "lake"), archive=str(tmp_path / "archive"), **OPTIONS).finish()
    assert status == 0
    for study in states(Lake.open(tmp_path / "lake")):
        remote = findings(Lake.open(f"{bucket}/lake"), study)
        assert remote == findings(Lake.open(tmp_path / "lake"), study)
        assert len(remote) == 6
