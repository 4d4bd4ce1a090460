"""The account of a lake: every file and every series of the archive is somewhere, and the sums agree.

Belongs here: counting, reconciling, and running the data checks of checks/. Does not belong here: printing.

Files: every plain file counts once, and so does every member of a zip file; the zip file itself counts once more, as a
container. So files_seen = instance + not_dicom + dicomdir + container + unreadable.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import duckdb

from vfscreen.errors import FileState, State
from vfscreen.lake.store import SHARD_TABLES, Lake, Row
from vfscreen.lake.tables import decode_column, row_count, sha256
from vfscreen.lake.views import connect, head_comment, snapshot, sql_files
from vfscreen.schema.tables import SERIES

_EXAMPLES = 5
_CHECKS = ("accounts", "findings")


@dataclass(frozen=True)
class Ledger:
    """Counts of files and series. `problems` says in words why `reconciles` is False; a pending series is not one.

    reasons: series by reason code (rejected and failed). file_reasons: files by reason code.
    """

    files_seen: int
    files_instance: int
    files_not_dicom: int
    files_dicomdir: int
    files_container: int
    files_unreadable: int
    series_seen: int
    screened: int
    rejected: int
    failed: int
    pending: int
    reasons: dict[str, int]
    file_reasons: dict[str, int]
    shards: int
    model_release: str | None
    problems: tuple[str, ...] = field(default=())

    @property
    def reconciles(self) -> bool:
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """The keys of `vfscreen ledger --json`."""
        return {**asdict(self), "problems": list(self.problems), "reconciles": self.reconciles}


@dataclass(frozen=True)
class CheckFailure:
    """A data check that returned rows: its name, how many, and the first few."""

    check: str
    count: int
    examples: tuple[Row, ...]


def ledger(lake: Lake, model_release: str | None = None) -> Ledger:
    """Count and reconcile. model_release: judge by rows of this release only; else each series' newest.

    Reads every file that a receipt names once, to compare it with the receipt's hash and counts.
    """
    seen = snapshot(lake, model_release)
    problems = [f"shard {receipt['shard_id']}: {gone} is gone" for receipt, gone in seen.damaged]
    broken = {r["shard_id"]: why for r in seen.receipts if (why := receipt_problem(lake, r))}
    problems += [f"shard {shard}: {why}" for shard, why in sorted(broken.items())]
    if broken:
        # Rows of an altered file are not evidence of anything: their series count as pending.
        whole = tuple(r for r in seen.receipts if r["shard_id"] not in broken)
        seen = replace(seen, receipts=whole)
    with connect(lake, seen=seen, allow_damaged=True) as connection:
        files = _counts(connection, "SELECT file_state, sum(file_count) FROM file_ledger GROUP BY ALL")
        file_reasons = _counts(
            connection, "SELECT reason_code, sum(file_count) FROM file_ledger WHERE reason_code NOT NULL GROUP BY ALL"
        )
        states = _counts(connection, "SELECT state, sum(series_count) FROM ledger GROUP BY ALL")
        reasons = _counts(
            connection, "SELECT reason_code, sum(series_count) FROM ledger WHERE reason_code NOT NULL GROUP BY ALL"
        )
        files_seen = _one(connection, "SELECT count(*) FROM files")
        series_seen = _one(connection, "SELECT count(*) FROM manifest")
        instances_in_series = _one(connection, "SELECT coalesce(sum(instance_count), 0) FROM manifest")
        problems += [
            f"check {failure.check}: {failure.count} row(s), first {failure.examples[0]}"
            for failure in _run(connection, "accounts")
        ]
    result = Ledger(
        files_seen=files_seen,
        files_instance=files.get(FileState.INSTANCE.value, 0),
        files_not_dicom=files.get(FileState.NOT_DICOM.value, 0),
        files_dicomdir=files.get(FileState.DICOMDIR.value, 0),
        files_container=files.get(FileState.CONTAINER.value, 0),
        files_unreadable=files.get(FileState.UNREADABLE.value, 0),
        series_seen=series_seen,
        screened=states.get(State.SCREENED.value, 0),
        rejected=states.get(State.REJECTED.value, 0),
        failed=states.get(State.FAILED.value, 0),
        pending=states.get(State.PENDING.value, 0),
        reasons=reasons,
        file_reasons=file_reasons,
        shards=len(seen.receipts),
        model_release=model_release,
    )
    problems = _sums(result, instances_in_series) + problems
    return replace(result, problems=tuple(problems))


def run_checks(lake: Lake, model_release: str | None = None) -> list[CheckFailure]:
    """Every check of checks/*/*.sql that returned rows; empty where the lake is sound.

    checks/accounts: nothing lost, nothing twice; the ledger does not reconcile where one fails.
    checks/findings: numbers that contradict each other, or the headers.
    """
    with connect(lake, model_release) as connection:
        return [failure for kind in _CHECKS for failure in _run(connection, kind)]


def check_descriptions() -> dict[str, str]:
    """What each check of `run_checks` asks, by name, in the order in which they run."""
    return {name: head_comment(sql) for kind in _CHECKS for name, sql in sql_files("vfscreen.lake", f"checks/{kind}")}


def receipt_problem(lake: Lake, receipt: Row) -> str | None:
    """Why the files of a receipt are not the ones it was written for, or None."""
    for table, count_column in SHARD_TABLES:
        name = table.name
        path = receipt.get(f"{name}_path")
        if path is None:
            if receipt.get(count_column):
                return f"{receipt[count_column]} {name} are counted but no file is named"
            continue
        try:
            data = lake.store.read_bytes(path)
        except FileNotFoundError:
            return f"{path} is gone"
        if sha256(data) != receipt[f"{name}_sha256"]:
            return f"{path} was altered since it was written: remove the shard's receipt and sweep again"
        found = row_count(data)
        if table is SERIES:
            states = Counter(decode_column(data, "state"))
            for state in (State.SCREENED, State.REJECTED, State.FAILED):
                said = receipt[f"{state.value}_count"]
                if states[state.value] != said:
                    return f"{path} has {states[state.value]} {state.value} rows, its receipt says {said}"
        if found != receipt[count_column]:
            return f"{path} has {found} rows, its receipt says {receipt[count_column]}"
    return None


def _sums(counts: Ledger, instances_in_series: int) -> list[str]:
    problems = []
    by_state = (
        counts.files_instance
        + counts.files_not_dicom
        + counts.files_dicomdir
        + counts.files_container
        + counts.files_unreadable
    )
    if by_state != counts.files_seen:
        problems.append(f"{counts.files_seen} files were seen but {by_state} have a state: index again")
    if instances_in_series != counts.files_instance:
        problems.append(
            f"{counts.files_instance} files are instances but the series hold {instances_in_series}: index again"
        )
    ended = counts.screened + counts.rejected + counts.failed + counts.pending
    if ended != counts.series_seen:
        problems.append(f"{counts.series_seen} series were seen but {ended} are accounted for")
    return problems


def _run(connection: duckdb.DuckDBPyConnection, kind: str) -> list[CheckFailure]:
    failures = []
    for name, text in sql_files("vfscreen.lake", f"checks/{kind}"):
        result = connection.execute(text)
        columns = [d[0] for d in result.description or ()]
        rows = result.fetchall()
        if rows:
            examples = tuple(dict(zip(columns, row, strict=True)) for row in rows[:_EXAMPLES])
            failures.append(CheckFailure(name, len(rows), examples))
    return failures


def _counts(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, int]:
    return {str(name): int(count) for name, count in sorted(connection.execute(query).fetchall())}


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
