"""Codes, treatments and DXA beside the findings: windows, codes, and what cannot be joined."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from vfscreen.audit.care import care_rows, is_fracture_code, read_care
from vfscreen.audit.compare import Compared, compare
from vfscreen.audit.findings import Study, Vertebra
from vfscreen.audit.inputs import code_table
from vfscreen.audit.mentions import ReportReader
from vfscreen.audit.readings import Reading
from vfscreen.ingest.identity import Pseudonymiser
from vfscreen.settings_audit import AuditSettings

IDENTITY = Pseudonymiser(b"a key for this test")
SETTINGS = AuditSettings(issuer="HOSPITAL")


def study(reader: ReportReader, patient: str | None, date: dt.date | None, text: str) -> Compared:
    pseudonym = IDENTITY.patient(patient, "HOSPITAL")
    fractured = (Vertebra("1.2.3", "T12", True, 2, 0.3, None, None),)
    found = Study("1.2", str(patient), pseudonym, date, None, None, None, True, None, None, fractured)
    return compare(found, [Reading(0, "A", None, None, None, None, tuple(reader.read(text)))], SETTINGS)


@pytest.mark.parametrize(
    ("code", "is_one"),
    [
        ("M80.08", True),
        ("m8008", True),
        ("M48.5", True),
        ("S22.00", True),
        ("S2200", True),
        ("S22.3", False),
        ("M81.0", False),
        ("I10", False),
    ],
)
def test_fracture_codes_by_their_beginning(code: str, is_one: bool) -> None:
    assert is_fracture_code(code, SETTINGS.fracture_codes) is is_one


def test_every_row_and_every_study_is_accounted_for(english: ReportReader, tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text(
        "patient_id,date,code\n"
        "P1,2024-01-10,M80.08\n"
        "P1,2020-01-10,M80.08\n"  # outside the window
        "P2,2024-01-10,I10\n"
        "P9,2024-01-10,M80.08\n"
        "P2,,M80.08\n"
    )
    patients = frozenset(p for p in (IDENTITY.patient(n, "HOSPITAL") for n in ("P1", "P2", "P3")) if p)
    table = read_care("coded", code_table(str(path), SETTINGS), patients, IDENTITY, SETTINGS)
    assert vars(table.account) == {"rows": 5, "other_patients": 1, "incomplete": 1, "other_codes": 1, "used": 2}
    day = dt.date(2024, 1, 1)
    silent = "Lungs are clear."
    items = [
        study(english, "P1", day, silent),
        study(english, "P2", day, silent),
        study(english, "P3", None, silent),
        study(english, None, day, silent),
        study(english, "P1", day, "Fracture of T12."),
    ]
    rows = {r["fracture"]: r for r in care_rows(items, [table], 365)}
    assert (rows["not_reported"]["with_count"], rows["not_reported"]["study_count"]) == (1, 2)
    assert rows["not_reported"]["unjoinable_study_count"] == 2
    assert (rows["reported"]["with_count"], rows["reported"]["study_count"]) == (1, 1)
    assert table.near(items[0], 365) == ["M80.08"]
    assert table.near(items[0], 5) == []
    assert table.near(items[2], 365) is None
