"""What was done about a found fracture: coded, treated, measured by DXA - where the site gives such tables.

Belongs here: joining codes, treatments and DXA to patients in a window around the study. Does not belong here: reports.
Null means that no table was given; false means that a table was given and holds nothing for the patient in the window.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from vfscreen.audit.compare import Compared
from vfscreen.audit.inputs import InputTable, parsed_date
from vfscreen.audit.intervals import share
from vfscreen.ingest.identity import Pseudonymiser
from vfscreen.settings_audit import AuditSettings

KINDS = ("coded", "treated", "dxa")

SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("fracture", pa.string()),
        ("study_count", pa.int64()),
        ("with_count", pa.int64()),
        ("share", pa.float64()),
        ("wilson_low", pa.float64()),
        ("wilson_high", pa.float64()),
        ("clustered_low", pa.float64()),
        ("clustered_high", pa.float64()),
        ("unjoinable_study_count", pa.int64()),
    ]
)
"""fracture: reported or not_reported. unjoinable_study_count: studies without a date or a PatientID, in no share."""


@dataclass
class CareAccount:
    """Rows of one table: rows = of other patients + without patient or date + not a fracture code + used."""

    rows: int = 0
    other_patients: int = 0
    incomplete: int = 0
    other_codes: int = 0
    used: int = 0


@dataclass(frozen=True)
class CareTable:
    """kind -> patient pseudonym -> what happened when. values: the code, treatment or T-score as given."""

    kind: str
    events: Mapping[str, Sequence[tuple[dt.date, str]]]
    account: CareAccount = field(compare=False)

    def near(self, item: Compared, window_days: int) -> list[str] | None:
        """Values around the study's date, by date; None where the study cannot be joined."""
        study = item.study
        if study.patient_pseudonym is None or study.date is None:
            return None
        events = self.events.get(study.patient_pseudonym, ())
        return [value for date, value in events if abs((date - study.date).days) <= window_days]


def read_care(
    kind: str,
    table: InputTable,
    patients: frozenset[str],
    pseudonymiser: Pseudonymiser,
    settings: AuditSettings,
) -> CareTable:
    """Rows of the lake's patients; of codes those of a vertebral fracture."""
    value_name = {"coded": "code", "treated": "treatment", "dxa": "t_score"}[kind]
    events: dict[str, list[tuple[dt.date, str]]] = {}
    account = CareAccount()
    for row in table.rows():
        account.rows += 1
        pseudonym = pseudonymiser.patient(row["patient_id"], row["issuer"] or settings.issuer)
        date, value = parsed_date(row["date"]), row[value_name]
        if pseudonym is None or date is None or value is None:
            account.incomplete += 1
        elif pseudonym not in patients:
            account.other_patients += 1
        elif kind == "coded" and not is_fracture_code(value, settings.fracture_codes):
            account.other_codes += 1
        else:
            account.used += 1
            events.setdefault(pseudonym, []).append((date, value))
    return CareTable(kind, {p: sorted(found) for p, found in events.items()}, account)


def is_fracture_code(code: str, beginnings: Sequence[str]) -> bool:
    """Whether an ICD-10 code begins like one of `beginnings`, dots and case apart ("S2200" is S22.0)."""
    plain = code.upper().replace(".", "").strip()
    return any(plain.startswith(b.upper().replace(".", "")) for b in beginnings)


def care_rows(compared: Sequence[Compared], tables: Sequence[CareTable], window_days: int) -> list[dict[str, Any]]:
    """Rows of SCHEMA: of studies with a found fracture, how many have the code, treatment or DXA, by whether
    reported."""
    rows = []
    for table in tables:
        for reported in (True, False):
            items = [c for c in compared if c.is_found and c.is_reported is reported]
            near = [(c.study.patient_key, table.near(c, window_days)) for c in items]
            counted = share([(key, bool(values)) for key, values in near if values is not None])
            rows.append(
                {
                    "kind": table.kind,
                    "fracture": "reported" if reported else "not_reported",
                    "study_count": counted.total,
                    "with_count": counted.hits,
                    "share": counted.share,
                    "wilson_low": counted.low,
                    "wilson_high": counted.high,
                    "clustered_low": counted.clustered_low,
                    "clustered_high": counted.clustered_high,
                    "unjoinable_study_count": sum(values is None for _, values in near),
                }
            )
    return rows
