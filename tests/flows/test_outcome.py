"""When a run counts as done."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.outcome import Counts, SweepSummary, failed_checks, too_many_failures, verdict
from vfscreen.lake.ledger import CheckFailure
from vfscreen.settings import SweepSettings

SETTINGS = SweepSettings(failed_share_max=0.2, failed_count_min=20)
SOUND: dict[str, Any] = {"reconciles": True, "problems": [], "pending": 0, "screened": 100, "rejected": 5, "failed": 0}


@pytest.mark.parametrize(
    ("screened", "failed", "too_many"),
    [(0, 0, False), (0, 19, False), (80, 20, False), (79, 20, True), (10_000, 2_000, False), (0, 20, True)],
)
def test_failures_are_the_sites_above_a_share_and_a_count(screened: int, failed: int, too_many: bool) -> None:
    assert (too_many_failures(screened, failed, SETTINGS) is not None) is too_many


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_limit_of_one_never_fails_and_more_screened_never_makes_it_worse(screened: int, failed: int) -> None:
    assert too_many_failures(screened, failed, SweepSettings(failed_share_max=1.0, failed_count_min=0)) is None
    if too_many_failures(screened, failed, SETTINGS) is None:
        assert too_many_failures(screened + 1, failed, SETTINGS) is None


@pytest.mark.parametrize(
    ("ledger", "counts", "without_receipt", "limited", "words"),
    [
        ({}, Counts(screened=3), 0, False, None),
        ({}, Counts(), 0, False, None),
        ({}, Counts(screened=3, failed=1), 0, False, None),
        ({}, Counts(screened=3), 2, False, "2 shards have no receipt"),
        ({"reconciles": False, "problems": ["a file is gone"]}, Counts(), 0, False, "a file is gone"),
        ({"pending": 4}, Counts(screened=3), 0, False, "4 series are still pending"),
        ({"pending": 4}, Counts(screened=3), 0, True, None),
        ({"failed": 2}, Counts(failed=2), 0, False, "every series that was tried failed"),
        ({"failed": 60}, Counts(), 0, False, "60 of 160 series failed"),
    ],
)
def test_the_verdict_says_why_the_work_was_not_done(
    ledger: dict[str, Any], counts: Counts, without_receipt: int, limited: bool, words: str | None
) -> None:
    found = verdict(counts, SOUND | ledger, without_receipt, limited, SETTINGS)
    assert found is None if words is None else words in (found or "")


def test_a_summary_survives_json() -> None:
    summary = SweepSummary("r", "a", "l", "m", "failed", "why", 3, 2, 1, 1, 1, ("1.2",), 4.5, {"pending": 1})
    assert SweepSummary.from_json(summary.as_json()) == summary


def test_failed_data_checks_fail_the_run() -> None:
    assert failed_checks([]) is None
    words = failed_checks([CheckFailure("ranges", 3, ({"a": 1},)), CheckFailure("level_unique", 1, ({},))])
    assert words is not None
    assert words.startswith("2 data checks failed, first ranges with 3 row(s)")
