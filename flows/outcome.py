"""When a sweep counts as done, and the summary it leaves.

Belongs here: thresholds, the verdict, the summary's fields. Does not belong here: how shards are handed out, printing.
Everything is judged from receipts and the ledger; what Prefect or Dask said of a task is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from vfscreen.lake.ledger import CheckFailure
from vfscreen.settings import SweepSettings

RunOutcome = Literal["completed", "failed", "stopped"]


@dataclass
class Counts:
    """Series of this run by the state they ended in, summed over receipts."""

    screened: int = 0
    rejected: int = 0
    failed: int = 0

    def add(self, receipt: Mapping[str, Any]) -> None:
        self.screened += receipt["screened_count"]
        self.rejected += receipt["rejected_count"]
        self.failed += receipt["failed_count"]


@dataclass(frozen=True)
class SweepSummary:
    """What a sweep did. The keys of `vfscreen sweep --json`.

    screened, rejected, failed: series of this run. lost_studies: studies recorded as failed because their worker died
    each time. ledger: the whole lake's account for this release afterwards; empty where the run was stopped before it.
    """

    run_id: str
    archive: str
    lake: str
    model_release: str
    outcome: RunOutcome
    message: str | None
    shards_planned: int
    shards_done: int
    screened: int
    rejected: int
    failed: int
    lost_studies: tuple[str, ...]
    seconds: float
    ledger: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "lost_studies": list(self.lost_studies)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SweepSummary:
        return cls(**{**values, "lost_studies": tuple(values["lost_studies"])})


def too_many_failures(screened: int, failed: int, settings: SweepSettings) -> str | None:
    """Why so many failures are the site's and not the patients', or None.

    The share is of the series that were tried (screened + failed); rejected ones were never meant to be screened. Small
    numbers say nothing about a site, hence `failed_count_min`.
    """
    share = failed / (screened + failed) if failed else 0.0
    if failed < settings.failed_count_min or share <= settings.failed_share_max:
        return None
    return (
        f"{failed} of {screened + failed} series failed ({share:.0%}), above the limit of "
        f"{settings.failed_share_max:.0%}: see `vfscreen ledger` for the reasons; raise sweep.failed_share_max if this "
        "is what the archive is like, and try the failed ones again with --retry-failed"
    )


def failed_checks(failures: Sequence[CheckFailure]) -> str | None:
    """Why the numbers that were landed cannot be trusted, or None."""
    if not failures:
        return None
    first = failures[0]
    return (
        f"{len(failures)} data checks failed, first {first.check} with {first.count} row(s): "
        "see `vfscreen check`; nothing was removed"
    )


def verdict(
    counts: Counts, ledger: Mapping[str, Any], shards_without_receipt: int, limited: bool, settings: SweepSettings
) -> str | None:
    """Why the asked work was not done, or None.

    ledger: Ledger.as_json(). limited: only some studies were asked for, so pending ones are no failure.
    """
    if shards_without_receipt:
        return f"{shards_without_receipt} shards have no receipt: run the same command again"
    if not ledger["reconciles"]:
        return "the ledger does not reconcile: " + "; ".join(ledger["problems"][:3])
    if ledger["pending"] and not limited:
        return f"{ledger['pending']} series are still pending: run the same command again"
    if counts.failed and not counts.screened:
        return f"every series that was tried failed ({counts.failed}): see `vfscreen ledger` for the reasons"
    return too_many_failures(counts.screened, counts.failed, settings) or too_many_failures(
        ledger["screened"], ledger["failed"], settings
    )
