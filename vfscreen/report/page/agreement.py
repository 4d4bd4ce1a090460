"""CT beside radiographs of the same patients: one sentence and the table behind it.

Belongs here: choosing and wording. Does not belong here: pairing and counting (the query `agreement`), layout
(templates).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vfscreen.report.page import text
from vfscreen.report.page.answers import Answers

Row = Mapping[str, Any]

HEADINGS = (
    "level", "patients", "pairs", "same grade", "95 % interval", "higher on the radiograph", "lower", "both fractured",
    "CT only", "radiograph only", "kappa", "weighted kappa", "loss difference", "limits of agreement", "days, median",
)  # fmt: skip


@dataclass(frozen=True)
class Agreement:
    """text: what the comparison is of. rows: all levels first, then level by level; empty without a pair."""

    text: str
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def agreement(answers: Answers) -> Agreement:
    """Levels that were graded on a CT and on a radiograph of the same patient."""
    rows = [row for row in answers.ask("agreement") if row["vertebra_pairs"]]
    if not rows:
        return Agreement("No patient has a level graded both on a CT and on a radiograph within a year.")
    return Agreement(
        "Levels graded both on a radiograph and on the CT of the patient that is nearest to it, at most a year apart. "
        "Differences are radiograph less CT, of the height loss; limits of agreement are the mean and 1.96 standard "
        "deviations either way. A fracture in between counts as disagreement, and vertebrae of one patient are not "
        "independent. Studies that hold both kinds are left out.",
        HEADINGS,
        tuple(_cells(row) for row in rows),
    )


def _cells(row: Row) -> tuple[str, ...]:
    low, high = row["limit_low"], row["limit_high"]
    limits = "" if low is None or high is None else f"{text.percent(low)} to {text.percent(high)}"
    return (
        row["vertebra_level"],
        *(text.count(row[name]) for name in ("patients", "vertebra_pairs")),
        text.percent(row["same_grade_share"]),
        text.interval(row["same_grade_share_low"], row["same_grade_share_high"]),
        *(text.count(row[n]) for n in ("film_higher", "film_lower", "both_fractured", "ct_only", "film_only")),
        text.decimal(row["kappa"], 2),
        text.decimal(row["weighted_kappa"], 2),
        text.percent(row["mean_loss_difference"]),
        limits,
        text.decimal(row["median_days_apart"], 0),
    )
