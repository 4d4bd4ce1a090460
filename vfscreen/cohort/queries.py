"""Named questions and how to ask them, or one's own SQL, without being able to change anything.

Belongs here: finding a query, which parts of a filter it takes, running it. Does not belong here: what a query computes
(selection/*.sql, then queries/*.sql, one documented file each), what the views are (`lake.views`), printing.

    with open_cohort(lake) as cohort:                            # once, for several questions
        table = cohort.ask("prevalence", CohortFilter.of(sex=("F",), by=("age", "site"))).table
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from vfscreen.cohort.filter import CohortFilter, FilterError
from vfscreen.cohort.incidence import with_rates
from vfscreen.cohort.prepared import connect_prepared
from vfscreen.cohort.result import Result
from vfscreen.errors import VfscreenError
from vfscreen.lake.store import Lake
from vfscreen.lake.views import connect, head_comment, sql_files

_ON_EXAMS = frozenset({
    "age_min", "age_max", "sex", "site", "scanner", "date_from", "date_to", "contrast", "modality", "exams",
    "density_below_hu", "density_kind", "l1_only",
})  # fmt: skip
_ON_VERTEBRAE = frozenset({"levels", "level_certain", "grade", "grade_min"})
_USUAL = _ON_EXAMS | _ON_VERTEBRAE


class QueryError(VfscreenError):
    """The question cannot be asked: an unknown name, wrong SQL, or SQL that would do more than read."""


@dataclass(frozen=True)
class _Rule:
    """takes: fields of the filter that the query heeds. by: its groups where none are asked for. one_exam: it counts
    patients, so `exams` cannot be `all`. all_exams: it takes every exam that passes, whatever `exams` says. full: it
    reads views that are not prepared (`cohort.prepared`). ct: of CT alone. finish: what is computed outside SQL."""

    takes: frozenset[str] = _USUAL
    by: tuple[str, ...] = ()
    one_exam: bool = False
    all_exams: bool = False
    full: bool = False
    ct: bool = False
    finish: Callable[[pa.Table], pa.Table] | None = None


_RULES: dict[str, _Rule] = {
    "agreement": _Rule(
        frozenset({"age_min", "age_max", "sex", "site", "date_from", "date_to", "days_max"}) | _ON_VERTEBRAE,
        all_exams=True,
    ),
    "cohort": _Rule(_USUAL | {"match"}),
    "density": _Rule((_USUAL | {"by"}) - {"modality"}, by=("age",), one_exam=True, ct=True),
    "drift": _Rule(_USUAL - {"exams"}, all_exams=True),
    "flagged": _Rule(_USUAL | {"match"}, full=True),
    "flow": _Rule(),
    "grades": _Rule(_USUAL - {"grade_min"}),
    "incident": _Rule((_USUAL | {"by"}) - {"exams"}, all_exams=True, finish=with_rates),
    "levels": _Rule(),
    "prevalence": _Rule(_USUAL | {"by"}, by=("age", "sex"), one_exam=True),
    "reasons": _Rule(frozenset()),
    "runs": _Rule(frozenset()),
    "sdi": _Rule((_USUAL | {"by"}) - {"grade_min"}, by=("age", "sex"), one_exam=True),
    "settings": _Rule(frozenset()),
    "vertebrae": _Rule(_USUAL - {"grade_min"}, full=True),
    "worklist": _Rule(_USUAL | {"match"}),
}


@dataclass(frozen=True)
class NamedQuery:
    """A question that comes with the program. `description` is the comment at the head of its file; `takes` the fields
    of `CohortFilter` that it heeds."""

    name: str
    description: str
    sql: str
    takes: frozenset[str]


def named_queries() -> dict[str, NamedQuery]:
    """Every named query, by name."""
    return {
        name: NamedQuery(name, head_comment(sql), sql, _RULES[name].takes)
        for name, sql in sql_files("vfscreen.cohort", "queries")
    }


class Cohort:
    """A lake opened for questions: a snapshot of it. Make one with `open_cohort`."""

    def __init__(self, lake: Lake, model_release: str | None, prepared: bool | None) -> None:
        self._lake = lake
        self._release = model_release
        self._open: dict[bool, duckdb.DuckDBPyConnection] = {}  # by whether it has every view
        found = None if prepared is False else connect_prepared(lake, model_release)
        if found is None and prepared:
            raise QueryError(f"{lake.url} is not prepared for queries: run `vfscreen query --prepare --lake ...`")
        self.is_prepared = found is not None
        if found is not None:
            self._open[False] = _with_selection(found, lake)

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()

    def ask(self, name: str, question: CohortFilter | None = None) -> Result:
        """Answer of a named query. QueryError where there is none of that name (naming those there are), FilterError
        for a part of the filter that it does not heed: nothing asked for is passed over in silence."""
        known = named_queries()
        if name not in known:
            raise QueryError(f"there is no query {name!r}; there are: {', '.join(known)}")
        rule = _RULES[name]
        connection = self._connection(full=rule.full or not self.is_prepared)
        _set_variables(connection, _checked(name, rule, question or CohortFilter()), self._lake)
        table = _run(connection, known[name].sql)
        return Result(rule.finish(table) if rule.finish else table)

    def _connection(self, *, full: bool) -> duckdb.DuckDBPyConnection:
        if full not in self._open:
            self._open[full] = _with_selection(connect(self._lake, self._release), self._lake)
        return self._open[full]


@contextmanager
def open_cohort(lake: Lake, model_release: str | None = None, *, prepared: bool | None = None) -> Iterator[Cohort]:
    """Open a lake for several questions. model_release: only its rows; default the newest of each series.

    prepared: True reads only the tables that `prepare` made and is a QueryError without them, False reads the shards;
    None takes what is there. The answers are the same.
    """
    cohort = Cohort(lake, model_release, prepared)
    try:
        yield cohort
    finally:
        cohort.close()


def run_named(lake: Lake, name: str, model_release: str | None = None, question: CohortFilter | None = None) -> Result:
    """Answer of one named query; see `Cohort.ask`."""
    with open_cohort(lake, model_release) as cohort:
        return cohort.ask(name, question)


def run_sql(lake: Lake, sql: str, model_release: str | None = None) -> Result:
    """Result of one SELECT over the lake's views. QueryError for anything else and for wrong SQL."""
    with connect(lake, model_release) as connection:
        return Result(_run(connection, sql))


def _checked(name: str, rule: _Rule, question: CohortFilter) -> CohortFilter:
    """The question with the query's own defaults; FilterError for what the query does not take."""
    asked = question.model_fields_set
    if refused := sorted(f for f in asked - rule.takes if getattr(question, f) != getattr(CohortFilter(), f)):
        takes = ", ".join(sorted(rule.takes)) or "no filter"
        raise FilterError(f"{name} does not heed {', '.join(refused)}; it takes {takes}")
    if rule.one_exam and question.exams == "all":
        raise FilterError(f"{name} counts patients, one exam each: exams must be latest or first")
    own: dict[str, Any] = {}
    if question.by is None:
        own["by"] = rule.by
    if rule.all_exams:
        own["exams"] = "all"
    if rule.ct:
        own["modality"] = ("CT",)
    if name == "incident" and question.level_certain:
        own["level_certain"] = None  # its own default; so that what is left out can be counted
    return question.model_copy(update=own)


def _with_selection(connection: duckdb.DuckDBPyConnection, lake: Lake) -> duckdb.DuckDBPyConnection:
    _set_variables(connection, CohortFilter(), lake)  # a view is bound with the types of its variables
    for _, text in sql_files("vfscreen.cohort", "selection"):
        connection.execute(text)
    return connection


def _set_variables(connection: duckdb.DuckDBPyConnection, question: CohortFilter, lake: Lake) -> None:
    connection.execute("SET VARIABLE lake_url = ?", [lake.url])
    for name, (kind, value) in question.values().items():
        # the name and the type are the program's own, the value is bound
        connection.execute(f"SET VARIABLE {name} = ?::{kind}", [value])


def _run(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type not in _READING:
            raise QueryError("a query is one SELECT (or DESCRIBE, SHOW, EXPLAIN); it cannot change anything")
        return connection.execute(statements[0]).to_arrow_table()
    except duckdb.Error as error:
        raise QueryError(f"the query failed: {error}") from error


_READING = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
