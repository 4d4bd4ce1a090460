"""A site's tables: whatever is wrong with one is named; nothing is dropped."""

from __future__ import annotations

import datetime as dt
import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vfscreen.audit.inputs import AuditInputError, InputTable, code_table, parsed_date, report_table
from vfscreen.settings_audit import AuditSettings

SETTINGS = AuditSettings()


def table(tmp_path: Path, text: str | bytes, **settings: object) -> InputTable:
    path = tmp_path / "reports.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return report_table(str(path), AuditSettings(**settings))


def test_texts_with_line_breaks_quotes_and_delimiters_are_kept(tmp_path: Path) -> None:
    text = 'Accession,DATE,text,extra\nA1,2024-01-02,"No fracture,\nbut ""old"" T12.",x\nA2,,,\n'
    rows = list(table(tmp_path, text).rows())
    assert rows[0]["text"] == 'No fracture,\nbut "old" T12.'
    assert rows[1] == {
        "accession": "A2",
        "date": None,
        "text": None,
        "reader": None,
        "reader_group": None,
        "site": None,
    }
    assert "extra" not in rows[0]


def test_a_report_longer_than_the_csv_modules_limit_is_read(tmp_path: Path) -> None:
    (row,) = table(tmp_path, f'accession,date,text\nA1,2024-01-02,"{"long " * 40_000}"\n').rows()
    assert len(row["text"] or "") > 190_000


def test_encoding_delimiter_and_compression(tmp_path: Path) -> None:
    rows = list(
        table(tmp_path, "accession;date;text\nA1;2024;Höhe\n".encode("cp1252"), delimiter=";", encoding="cp1252").rows()
    )
    assert rows[0]["text"] == "Höhe"
    packed = tmp_path / "reports.csv.gz"
    packed.write_bytes(gzip.compress("﻿accession,date,text\nA1,2024,x\n".encode()))
    assert next(report_table(str(packed), SETTINGS).rows())["accession"] == "A1"


def test_parquet_of_any_types(tmp_path: Path) -> None:
    path = tmp_path / "codes.parquet"
    pq.write_table(
        pa.table({"patient_id": [17, None], "date": [dt.date(2024, 1, 2), None], "code": ["M80.08", " "]}), path
    )
    assert list(code_table(str(path), SETTINGS).rows()) == [
        {"patient_id": "17", "date": "2024-01-02", "code": "M80.08", "issuer": None},
        {"patient_id": None, "date": None, "code": None, "issuer": None},
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"a,b\n1,2\n", "no column accession, date, text"),
        (b"accession,date,text\nA1,2024,two, cells more\n", "line 2: 4 cells"),
        (b"accession,date,text\nA1,2024,H\xf6he\n", "audit.encoding"),
        (b'accession,date,text\nA1,2024,"open\n', "cannot be read as CSV"),
    ],
)
def test_a_wrong_table_is_named_with_the_remedy(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(AuditInputError, match=message):
        list(table(tmp_path, content).rows())


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    for name in ("none.csv", "none.parquet"):
        missing = report_table(str(tmp_path / name), SETTINGS)
        with pytest.raises(AuditInputError, match=name):
            list(missing.rows())
        with pytest.raises(AuditInputError, match=name):
            missing.sha256()
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"not parquet")
    with pytest.raises(AuditInputError, match="Parquet"):
        list(report_table(str(broken), SETTINGS).rows())


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2024-03-05", dt.date(2024, 3, 5)),
        ("20240305", dt.date(2024, 3, 5)),
        ("2024-03-05T10:00:00", dt.date(2024, 3, 5)),
        ("2024-03-05 10:00", dt.date(2024, 3, 5)),
        ("05.03.2024", None),
        ("2024-13-05", None),
        ("", None),
        (None, None),
    ],
)
def test_dates(text: str | None, date: dt.date | None) -> None:
    assert parsed_date(text) == date
