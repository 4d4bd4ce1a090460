"""How a column is declared: once, here and in `schema.tables`, and everything else follows from it.

Belongs here: `Column`, `Table`, and what is derived from them (Arrow schema, checks of rows at the write).
Does not belong here: which columns exist (`schema.tables`), where files lie (lake).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class Column:
    """One column.

    name: carries its unit (`anterior_height_mm`) or DICOM's own spelling (`SeriesInstanceUID`).
    type: Arrow type.
    description: one sentence, for the data dictionary.
    nullable: False only where the value can always be given.
    minimum, maximum: closed limits of a number (applied to each element of a list).
    values: closed list of allowed strings.
    """

    name: str
    type: pa.DataType
    description: str
    nullable: bool = True
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] | None = None

    def problem(self, value: Any) -> str | None:
        """Why `value` may not stand in this column, or None."""
        if value is None:
            return None if self.nullable else f"{self.name} is null"
        items: Sequence[Any] = value if isinstance(value, list | tuple) else (value,)
        for item in items:
            if isinstance(item, float) and not math.isfinite(item):
                return f"{self.name} is {item}; write null with a reason instead"
            if self.values is not None and item not in self.values:
                return f"{self.name} is {item!r}, not one of {self.values}"
            if self.minimum is not None and item < self.minimum:
                return f"{self.name} is {item}, below {self.minimum}"
            if self.maximum is not None and item > self.maximum:
                return f"{self.name} is {item}, above {self.maximum}"
        return None


@dataclass(frozen=True)
class Table:
    """One table of the lake: its name, what a row is, its key and its columns."""

    name: str
    row_is: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    version: int = 1
    by_name: Mapping[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = [c.name for c in self.columns]
        if len(set(names)) != len(names):
            raise ValueError(f"table {self.name}: a column is declared twice")
        object.__setattr__(self, "by_name", {c.name: c for c in self.columns})

    @property
    def arrow_schema(self) -> pa.Schema:
        """Explicit Arrow schema; field metadata carries the descriptions."""
        fields = [
            pa.field(c.name, c.type, nullable=c.nullable, metadata={"description": c.description}) for c in self.columns
        ]
        return pa.schema(fields, metadata={"vfscreen.table": self.name, "vfscreen.version": str(self.version)})

    def to_arrow(self, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
        """Checked rows -> Arrow. Missing keys are null; unknown keys and values out of limits raise ValueError."""
        materialised = list(rows)
        known = self.by_name.keys()
        for row in materialised:
            if unknown := row.keys() - known:
                raise ValueError(f"table {self.name} has no column {sorted(unknown)}")
            for column in self.columns:
                value = row.get(column.name)
                if value is None and column.nullable:
                    continue  # most columns of most rows: headers of films on CT, and the other way round
                if problem := column.problem(value):
                    raise ValueError(f"table {self.name}, row {self._label(row)}: {problem}")
        arrays = [pa.array([r.get(c.name) for r in materialised], type=c.type) for c in self.columns]
        return pa.Table.from_arrays(arrays, schema=self.arrow_schema)

    def _label(self, row: Mapping[str, Any]) -> str:
        return ", ".join(f"{k}={row.get(k)}" for k in self.key)
