"""What the page asks the lake: named queries with one filter, each answer asked for once.

Belongs here: giving every query the part of the filter that it heeds, and remembering what was asked. Does not belong
here: SQL (`vfscreen.cohort`), what is made of an answer (facts, sections).
"""

from __future__ import annotations

from typing import Any

from vfscreen.cohort.filter import CohortFilter
from vfscreen.cohort.queries import Cohort, named_queries

Row = dict[str, Any]


class Answers:
    """Answers of an open lake to the questions of one page.

    question: what the page is restricted to; `by` belongs to each figure and is not taken from it.
    """

    def __init__(self, cohort: Cohort, question: CohortFilter) -> None:
        self._cohort = cohort
        self._question = question
        self._known = named_queries()
        self._kept: dict[tuple[str, CohortFilter], tuple[list[Row], int]] = {}

    def ask(self, name: str, **values: Any) -> list[Row]:
        """Rows of a named query. values: fields of the filter that this one figure sets for itself."""
        return self.first(name, None, **values)[0]

    def first(self, name: str, count: int | None, **values: Any) -> tuple[list[Row], int]:
        """(the first `count` rows of a named query, how many it has). For queries that grow with the archive."""
        heeded = {f: getattr(self._question, f) for f in self.restricted if f in self._known[name].takes}
        question = CohortFilter.of(**(heeded | values))
        if (name, question) not in self._kept:
            table = self._cohort.ask(name, question).table
            self._kept[name, question] = table.slice(0, count).to_pylist(), int(table.num_rows)
        return self._kept[name, question]

    @property
    def restricted(self) -> dict[str, Any]:
        """What the page is restricted to, by field of the filter."""
        plain = CohortFilter()
        values = {f: getattr(self._question, f) for f in CohortFilter.model_fields if f != "by"}
        return {f: v for f, v in values.items() if v != getattr(plain, f)}

    @property
    def asked(self) -> dict[str, str]:
        """Names and descriptions of the queries that were asked."""
        return {name: self._known[name].description for name in sorted({name for name, _ in self._kept})}

    @property
    def not_heeded(self) -> dict[str, list[str]]:
        """Fields of the filter that a query which was asked cannot heed, by query."""
        fields = {name: [f for f in self.restricted if f not in self._known[name].takes] for name in self.asked}
        return {name: missing for name, missing in fields.items() if missing}
