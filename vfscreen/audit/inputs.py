"""Tables that a site gives to an audit: reports, codes, treatments, DXA. CSV or Parquet, on a folder or s3://.

Belongs here: reading them row by row, whatever the site calls its columns. Does not belong here: what the rows mean.
Nothing is dropped: what a row lacks is null and is counted by whoever reads it.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from vfscreen.errors import VfscreenError
from vfscreen.settings_audit import AuditSettings

_BATCH_ROWS = 1024


class AuditInputError(VfscreenError):
    """A table of an audit cannot be read as it is; the message names the file, the column or line, and the remedy."""


@dataclass(frozen=True)
class InputTable:
    """A table of the site: where it is, which columns it must have and which it may have.

    columns: our name -> the site's name. required: our names.
    """

    url: str
    columns: Mapping[str, str]
    required: tuple[str, ...]
    delimiter: str = ","
    encoding: str = "utf-8-sig"

    def rows(self) -> Iterator[dict[str, str | None]]:
        """Rows by our names, as text without surrounding space; what is missing or empty is None."""
        reader = self._parquet_rows() if ".parquet" in self.url.rsplit("/", 1)[-1].lower() else self._csv_rows()
        for row in reader:
            yield {name: _text(row.get(name)) for name in self.columns}

    def sha256(self) -> str:
        """Hash of the file's bytes."""
        digest = hashlib.sha256()
        try:
            with fsspec.open(self.url, "rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        except (OSError, ValueError) as error:
            raise AuditInputError(f"{self.url} cannot be read: {error}") from error
        return digest.hexdigest()

    def _csv_rows(self) -> Iterator[dict[str, Any]]:
        csv.field_size_limit(sys.maxsize)  # a report may be longer than the module's 128 KiB
        try:
            with fsspec.open(self.url, "rb", compression="infer") as raw:
                text = io.TextIOWrapper(raw, encoding=self.encoding, newline="")
                reader = csv.reader(text, delimiter=self.delimiter, strict=True)
                header = next(reader, None)
                if header is None:
                    raise AuditInputError(f"{self.url} is empty")
                names = self._named(header)
                for cells in reader:
                    if not cells:
                        continue
                    if len(cells) != len(header):
                        raise AuditInputError(
                            f"{self.url}, line {reader.line_num}: {len(cells)} cells where the header has "
                            f"{len(header)}; quote texts that hold {self.delimiter!r} or a line break"
                        )
                    yield {ours: cells[i] for i, ours in names.items()}
        except (OSError, UnicodeError, csv.Error, LookupError) as error:
            raise AuditInputError(
                f"{self.url} cannot be read as CSV ({error}); see audit.encoding and audit.delimiter"
            ) from error

    def _parquet_rows(self) -> Iterator[dict[str, Any]]:
        try:
            with fsspec.open(self.url, "rb") as raw:
                file = pq.ParquetFile(raw)
                header = file.schema_arrow.names
                names = self._named(header)
                for batch in file.iter_batches(_BATCH_ROWS, columns=[header[i] for i in names]):
                    for row in batch.to_pylist():
                        yield {ours: row[header[i]] for i, ours in names.items()}
        except (OSError, pa.ArrowException) as error:
            raise AuditInputError(f"{self.url} cannot be read as Parquet: {error}") from error

    def _named(self, header: Sequence[str]) -> dict[int, str]:
        """Position -> our name, of the columns we know."""
        places = {name.strip().lower(): i for i, name in enumerate(header)}
        found = {places[theirs.lower()]: ours for ours, theirs in self.columns.items() if theirs.lower() in places}
        missing = [self.columns[name] for name in self.required if name not in found.values()]
        if missing:
            raise AuditInputError(
                f"{self.url} has no column {', '.join(missing)} (it has: {', '.join(header)}); "
                "name the site's columns in audit.columns"
            )
        return found


def report_table(url: str, settings: AuditSettings) -> InputTable:
    """Radiology reports: accession, date, text; reader, reader_group, site where they are."""
    return _table(url, settings, ("accession", "date", "text"), ("reader", "reader_group", "site"))


def code_table(url: str, settings: AuditSettings) -> InputTable:
    """Diagnosis codes of patients: patient_id, date, code; issuer where it is."""
    return _table(url, settings, ("patient_id", "date", "code"), ("issuer",))


def treatment_table(url: str, settings: AuditSettings) -> InputTable:
    """Osteoporosis treatments: patient_id, date of begin or prescription, treatment; issuer where it is."""
    return _table(url, settings, ("patient_id", "date", "treatment"), ("issuer",))


def dxa_table(url: str, settings: AuditSettings) -> InputTable:
    """DXA results: patient_id, date, t_score (lowest of the exam); issuer where it is."""
    return _table(url, settings, ("patient_id", "date", "t_score"), ("issuer",))


def parsed_date(text: str | None) -> dt.date | None:
    """A date in ISO form or as DICOM's YYYYMMDD, a time after it allowed; None where it is neither."""
    if not text:
        return None
    try:
        return dt.date.fromisoformat(text[:8] if text[:8].isdigit() else text[:10])
    except ValueError:
        return None


def _table(url: str, settings: AuditSettings, required: tuple[str, ...], optional: tuple[str, ...]) -> InputTable:
    columns = {name: getattr(settings.columns, name) for name in (*required, *optional)}
    return InputTable(url, columns, required, settings.delimiter, settings.encoding)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value.isoformat() if isinstance(value, dt.date) else str(value)
    return text.strip() or None
