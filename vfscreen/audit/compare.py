"""A study's findings beside its reports: which fracture is reported, which is not, what is reported and not found.

Belongs here: matching levels, the reasons on the lists. Does not belong here: counting (`rates`), files (`run`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.optimize import linear_sum_assignment

from vfscreen.audit.findings import Study, Vertebra
from vfscreen.audit.levels import COLUMN
from vfscreen.audit.mentions import Mention, Status
from vfscreen.audit.readings import Reading, StudyReport
from vfscreen.settings_audit import AuditSettings


class Match(StrEnum):
    """How a finding is reported."""

    EXACT = "exact"
    NEIGHBOUR = "neighbour"
    UNKNOWN_LEVEL = "unknown_level"  # the finding's level is not known, and a reported one is left
    NO_LEVEL_GIVEN = "no_level_given"  # the report speaks of a fracture and names no level at all


class Silence(StrEnum):
    """What the report says instead of a finding."""

    OTHER_LEVEL = "other_level"  # reports a fracture elsewhere
    DENIED = "denied"
    DENIED_RECENT_ONLY = "denied_recent_only"  # "no acute fracture"
    ONLY_HEDGED = "only_hedged"  # where audit.hedged_is_reported is false
    ONLY_ASKED = "only_asked"  # only the referrer's question speaks of it
    SILENT = "silent"


class Absence(StrEnum):
    """Why a reported fracture is not found."""

    BELOW_GRADE = "below_grade"  # measured, and graded lower
    NOT_ASSESSED = "not_assessed"  # that level was not measured: out of view, cut, not detected
    NO_LEVEL_GIVEN = "no_level_given"
    STUDY_NOT_EVALUABLE = "study_not_evaluable"


@dataclass(frozen=True)
class Found:
    """A vertebra found fractured. Reported where `match` is set; else `silence` says what the report does."""

    vertebra: Vertebra
    match: Match | None
    reported_level: str | None
    mention: Mention | None
    silence: Silence | None


@dataclass(frozen=True)
class NotFound:
    """A reported fracture that was not found. level: null where the report names none."""

    level: str | None
    mention: Mention
    absence: Absence
    grade: int | None
    loss: float | None


@dataclass(frozen=True)
class Compared:
    """A study with a report. found: every vertebra of at least the audited grade. assessed: graded levels."""

    study: Study
    report: StudyReport
    found: tuple[Found, ...]
    not_found: tuple[NotFound, ...]

    @property
    def is_found(self) -> bool:
        return bool(self.found)

    @property
    def is_reported(self) -> bool:
        return self.report.is_reported

    @property
    def stratum(self) -> str:
        """Cell of the table found x reported, as the sampling plan draws from it."""
        if self.is_found:
            return "both" if self.is_reported else "found_only"
        return "reported_only" if self.is_reported else "neither"


def compare(study: Study, readings: Sequence[Reading], settings: AuditSettings) -> Compared:
    """What became of each finding and each reported fracture of one study."""
    report = StudyReport(tuple(readings), settings.hedged_is_reported)
    fractured = [v for v in study.vertebrae if v.grade >= settings.found_grade_min]
    levels = list(report.levels)
    pairs = match_levels([v.level for v in fractured], levels, settings.level_tolerance)
    found = tuple(_found(v, pairs.get(i), report, levels) for i, v in enumerate(fractured))
    taken = {levels[j] for j in pairs.values()}
    not_found = [_not_found(study, level, m, settings) for level, m in report.levels.items() if level not in taken]
    if report.without_level and not levels and not fractured:
        mention = next(m for m in report.reporting if not m.levels)
        absence = Absence.NO_LEVEL_GIVEN if study.evaluable else Absence.STUDY_NOT_EVALUABLE
        not_found.append(NotFound(None, mention, absence, None, None))
    return Compared(study, report, found, tuple(not_found))


def match_levels(found: Sequence[str | None], reported: Sequence[str], tolerance: int) -> dict[int, int]:
    """Place in `found` -> place in `reported`, one to one: as many pairs as can be, exact ones first, then the nearest.

    Numbering differs by a level between readers more often than not one of two neighbours is overlooked, hence the
    tolerance; but one reported level answers for one finding only.
    """
    if not found or not reported:
        return {}
    never = 1000.0
    cost = np.full((len(found), len(reported)), never)
    for i, level in enumerate(found):
        for j, other in enumerate(reported):
            if level is None:
                cost[i, j] = tolerance + 1
            elif (distance := _distance(level, other)) <= tolerance:
                # an exact pair is worth more than any two neighbours
                cost[i, j] = -never if distance == 0 else distance
    rows, columns = linear_sum_assignment(cost)
    return {int(i): int(j) for i, j in zip(rows, columns, strict=True) if cost[i, j] < never}


def _distance(a: str, b: str) -> float:
    """Levels between two names; T13 and L6, which the regular column lacks, stand at their neighbours' places."""
    places = [_place(a), _place(b)]
    return 0.0 if a == b else max(1.0, abs(places[0] - places[1]))


def _place(level: str) -> float:
    return {"T13": COLUMN.index("T12") + 0.5, "L6": len(COLUMN)}.get(level) or float(COLUMN.index(level))


def _found(vertebra: Vertebra, pair: int | None, report: StudyReport, levels: Sequence[str]) -> Found:
    if pair is not None:
        level = levels[pair]
        match = (
            Match.UNKNOWN_LEVEL if vertebra.level is None
            else Match.EXACT if vertebra.level == level
            else Match.NEIGHBOUR
        )  # fmt: skip
        return Found(vertebra, match, level, report.levels[level], None)
    if report.without_level and not levels:
        mention = next(m for m in report.reporting if not m.levels)
        return Found(vertebra, Match.NO_LEVEL_GIVEN, None, mention, None)
    silence, said = _silence(vertebra, report)
    return Found(vertebra, None, None, said, silence)


def _silence(vertebra: Vertebra, report: StudyReport) -> tuple[Silence, Mention | None]:
    if report.reporting:
        return Silence.OTHER_LEVEL, report.reporting[0]
    by_status: Mapping[Status, list[Mention]] = {
        status: [m for m in report.mentions if m.status is status and _concerns(m, vertebra)] for status in Status
    }
    if by_status[Status.HEDGED]:
        return Silence.ONLY_HEDGED, by_status[Status.HEDGED][0]
    if denials := by_status[Status.NEGATED]:
        whole = next((m for m in denials if not m.recent_only), None)
        return (Silence.DENIED, whole) if whole else (Silence.DENIED_RECENT_ONLY, denials[0])
    if by_status[Status.QUESTION]:
        return Silence.ONLY_ASKED, by_status[Status.QUESTION][0]
    return Silence.SILENT, None


def _concerns(mention: Mention, vertebra: Vertebra) -> bool:
    return not mention.levels or vertebra.level is None or vertebra.level in mention.levels


def _not_found(study: Study, level: str, mention: Mention, settings: AuditSettings) -> NotFound:
    measured = next((v for v in study.vertebrae if v.level == level), None)
    if measured is not None and measured.grade < settings.found_grade_min:
        return NotFound(level, mention, Absence.BELOW_GRADE, measured.grade, measured.loss)
    absence = Absence.NOT_ASSESSED if study.evaluable else Absence.STUDY_NOT_EVALUABLE
    return NotFound(level, mention, absence, None, None)
