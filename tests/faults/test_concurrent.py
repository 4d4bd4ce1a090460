"""Two sweeps at once on one lake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import STUDIES, SweepProcess, content
from tests.lake.builders import RELEASE
from vfscreen.lake.ledger import ledger
from vfscreen.lake.store import Lake
from vfscreen.lake.views import connect

Start = Callable[..., SweepProcess]
Content = dict[str, list[tuple[Any, ...]]]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def check(lake: Lake, undisturbed: Content) -> None:
    assert content(lake) == undisturbed
    account = ledger(lake, RELEASE)
    assert account.reconciles, account.problems
    assert (account.screened, account.pending) == (STUDIES, 0)
    with connect(lake, RELEASE) as connection:
        keys = connection.execute("SELECT StudyInstanceUID, SeriesInstanceUID FROM series").fetchall()
    assert max(Counter(keys).values()) == 1


@pytest.mark.parametrize("sizes", [(2, 2), (2, 5)], ids=["same shards", "overlapping shards"])
def test_two_sweeps_at_once_leave_each_series_once(
    lake: Lake, undisturbed: Content, start_sweep: Start, sizes: tuple[int, int]
) -> None:
    both = [start_sweep(lake.url, "land_slowly", shard_studies=size) for size in sizes]
    for sweep in both:
        status, summary = sweep.finish()
        assert (status, summary["outcome"]) == (0, "completed"), summary["message"]
    check(lake, undisturbed)


def test_two_first_sweeps_ever_share_one_new_prefect_home(
    lake: Lake, undisturbed: Content, start_sweep: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL")
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home"))
    both = [start_sweep(lake.url, "land_slowly") for _ in range(2)]
    for sweep in both:
        status, summary = sweep.finish()
        assert (status, summary["outcome"]) == (0, "completed"), summary["message"]
    check(lake, undisturbed)
