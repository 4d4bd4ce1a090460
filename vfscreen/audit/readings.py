"""Reports joined to the lake's studies by pseudonym, each read for what it says of vertebral fractures.

Belongs here: the join and its account, a report's reading. Does not belong here: reading a sentence (`mentions`),
judging against findings (`compare`). Text is not kept: `report_rows` fetches that of the studies on a
list in a later pass.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property

from vfscreen.audit.inputs import InputTable, parsed_date
from vfscreen.audit.mentions import REPORTED, Mention, Reads, Status
from vfscreen.ingest.identity import Pseudonymiser


@dataclass(frozen=True)
class Reading:
    """A report that belongs to a study. place: its row in the tables, from 0, by which its text is found again.
    accession: as the table gives it."""

    place: int
    accession: str
    date: dt.date | None
    reader: str | None
    reader_group: str | None
    site: str | None
    mentions: tuple[Mention, ...]


@dataclass
class ReportAccount:
    """Where every row of the report tables went: rows = without_accession + not_in_lake + without_text + read.

    date_unreadable is counted beside: such a report is read all the same.
    """

    rows: int = 0
    without_accession: int = 0
    not_in_lake: int = 0
    without_text: int = 0
    read: int = 0
    date_unreadable: int = 0

    @property
    def reconciles(self) -> bool:
        return self.rows == self.without_accession + self.not_in_lake + self.without_text + self.read

    def as_json(self) -> dict[str, int]:
        return {f.name: getattr(self, f.name) for f in fields(self)}


def read_reports(
    tables: Sequence[InputTable],
    studies_of: Mapping[str, Sequence[str]],
    pseudonymiser: Pseudonymiser,
    reader: Reads,
) -> tuple[dict[str, list[Reading]], ReportAccount]:
    """(StudyInstanceUID -> its reports by date, where every row went). Only reports of the lake's studies are read."""
    found: dict[str, list[Reading]] = {}
    account = ReportAccount()
    for place, row in enumerate(_rows(tables)):
        account.rows += 1
        accession = row["accession"]
        pseudonym = pseudonymiser.accession(accession)
        if accession is None or pseudonym is None:
            account.without_accession += 1
            continue
        if pseudonym not in studies_of:
            account.not_in_lake += 1
            continue
        text = row["text"]
        if text is None:
            account.without_text += 1
            continue
        account.read += 1
        date = parsed_date(row["date"])
        account.date_unreadable += date is None
        reading = Reading(
            place, accession, date, row["reader"], row["reader_group"], row["site"], tuple(reader.read(text))
        )
        for study in studies_of[pseudonym]:
            found.setdefault(study, []).append(reading)
    for readings in found.values():
        readings.sort(key=lambda r: (r.date or dt.date.max, r.place))
    return found, account


def report_rows(tables: Sequence[InputTable], places: frozenset[int]) -> dict[int, dict[str, str | None]]:
    """The rows of the reports at `places`, read again, for the lists that show their text."""
    return {place: row for place, row in enumerate(_rows(tables)) if place in places}


def _rows(tables: Sequence[InputTable]) -> Iterator[dict[str, str | None]]:
    for table in tables:
        yield from table.rows()


@dataclass(frozen=True)
class StudyReport:
    """All reports of one study taken together: the first report and what was added to it.

    Reader, group and site are those of the earliest report that names them; the reading is everything any of them says.
    """

    readings: tuple[Reading, ...]
    hedged_is_reported: bool = True
    _counting: tuple[Status, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        counting = REPORTED if self.hedged_is_reported else tuple(s for s in REPORTED if s is not Status.HEDGED)
        object.__setattr__(self, "_counting", counting)

    @cached_property
    def mentions(self) -> tuple[Mention, ...]:
        return tuple(m for r in self.readings for m in r.mentions)

    @cached_property
    def reporting(self) -> tuple[Mention, ...]:
        """Mentions by which a fracture of a thoracic, lumbar or unnamed level is reported. The neck is not audited:
        the program does not grade it."""
        return tuple(m for m in self.mentions if m.status in self._counting and (not m.levels or self._graded(m)))

    @cached_property
    def levels(self) -> dict[str, Mention]:
        """Reported thoracic and lumbar levels, each with the first mention of it."""
        found: dict[str, Mention] = {}
        for mention in self.reporting:
            for level in self._graded(mention):
                found.setdefault(level, mention)
        return found

    @property
    def without_level(self) -> bool:
        """A fracture is reported and no level is named with it."""
        return any(not m.levels for m in self.reporting)

    @property
    def is_reported(self) -> bool:
        return bool(self.reporting)

    def first(self, name: str) -> str | None:
        """The earliest value of a column (reader, reader_group, site) that is not missing."""
        return next((value for r in self.readings if (value := getattr(r, name)) is not None), None)

    @staticmethod
    def _graded(mention: Mention) -> tuple[str, ...]:
        return tuple(level for level in mention.levels if not level.startswith("C"))
