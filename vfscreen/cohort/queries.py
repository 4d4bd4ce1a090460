"""Named questions and how to ask them, or one's own SQL, without being able to change anything.

Belongs here: finding a query, running it, exporting its result. Does not belong here: what a query computes
(queries/*.sql), what the views are (`lake.views`), printing.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet

from vfscreen.errors import VfscreenError
from vfscreen.lake.store import Lake
from vfscreen.lake.views import connect, head_comment, sql_files


class QueryError(VfscreenError):
    """The question cannot be asked: an unknown name, wrong SQL, or SQL that would do more than read."""


@dataclass(frozen=True)
class NamedQuery:
    """A question that comes with the program. `description` is the comment at the head of its file."""

    name: str
    description: str
    sql: str


@dataclass(frozen=True, eq=False)
class Result:
    """The answer to a question: rows in the order the query gave them."""

    table: pa.Table

    @property
    def columns(self) -> list[str]:
        return list(self.table.column_names)

    @property
    def row_count(self) -> int:
        return int(self.table.num_rows)

    def rows(self) -> list[dict[str, Any]]:
        """Rows as dicts of plain Python values."""
        found: list[dict[str, Any]] = self.table.to_pylist()
        return found

    def csv(self) -> str:
        """Comma-separated text with a header. Lists, which csv lacks, are joined by ';'; null is empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        for row in self.rows():
            writer.writerow(";".join(map(str, v)) if isinstance(v, list) else v for v in row.values())
        return text.getvalue()

    def write_parquet(self, path: Path) -> None:
        pyarrow.parquet.write_table(self.table, path)


def named_queries() -> dict[str, NamedQuery]:
    """Every named query, by name."""
    return {name: NamedQuery(name, head_comment(sql), sql) for name, sql in sql_files("vfscreen.cohort", "queries")}


def run_named(lake: Lake, name: str, model_release: str | None = None) -> Result:
    """Result of a named query. QueryError naming the available ones where there is none of that name."""
    known = named_queries()
    if name not in known:
        raise QueryError(f"there is no query {name!r}; there are: {', '.join(known)}")
    return run_sql(lake, known[name].sql, model_release)


def run_sql(lake: Lake, sql: str, model_release: str | None = None) -> Result:
    """Result of one SELECT over the lake's views. QueryError for anything else and for wrong SQL."""
    with connect(lake, model_release) as connection:
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type not in _READING:
                raise QueryError("a query is one SELECT (or DESCRIBE, SHOW, EXPLAIN); it cannot change anything")
            result = connection.execute(statements[0])
            return Result(result.to_arrow_table())
        except duckdb.Error as error:
            raise QueryError(f"the query failed: {error}") from error


_READING = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
