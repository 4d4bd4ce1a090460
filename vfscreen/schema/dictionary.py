"""The data dictionary page, written from the declarations: `python -m vfscreen.schema.dictionary [FILE]`.

Belongs here: turning tables, reason codes and closed vocabularies into Markdown. Does not belong here: any description
(they stand where a column or a code is declared).
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa

from vfscreen.errors import REASONS
from vfscreen.schema.columns import Column, Table
from vfscreen.schema.tables import TABLES

PAGE = Path("docs/data-dictionary.md")
HEADINGS = ("column", "type", "null", "limits", "description")
_SHOWN_VALUES = 8


def render() -> str:
    """The whole page."""
    parts = [
        "# Data dictionary",
        "Written by `python -m vfscreen.schema.dictionary` from `vfscreen/schema/tables.py`; do not edit by hand. "
        "Positions and points are LPS mm. A null is a value that was not measured or not given; a reason stands beside "
        "it. The views that put these tables together are described by `vfscreen query --list`.",
    ]
    parts += [_table(table) for table in TABLES]
    codes = "\n".join(f"| `{code.value}` | {text} |" for code, text in REASONS.items())
    parts.append(f"## Reason codes\n\n| code | meaning |\n|---|---|\n{codes}")
    return "\n\n".join(parts) + "\n"


def cells(column: Column) -> tuple[str, ...]:
    """A column in plain words, one for each of HEADINGS."""
    null = "yes" if column.nullable else "no"
    return column.name, _type(column.type), null, _limits(column), column.description


def _table(table: Table) -> str:
    key = ", ".join(f"`{name}`" for name in table.key)
    rows = "\n".join(_column(column) for column in table.columns)
    head = f"## {table.name}\n\nA row is {table.row_is}. Key: {key}. Version {table.version}."
    return f"{head}\n\n| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}\n{rows}"


def _column(column: Column) -> str:
    name, kind, null, limits, description = cells(column)
    if column.values is not None and len(column.values) <= _SHOWN_VALUES:
        limits = ", ".join(f"`{v}`" for v in column.values)
    description = description.replace("|", "\\|")
    return f"| `{name}` | {kind} | {null} | {limits} | {description} |"


def _type(arrow_type: pa.DataType) -> str:
    if pa.types.is_fixed_size_list(arrow_type):
        return f"{_type(arrow_type.value_type)}[{arrow_type.list_size}]"
    if pa.types.is_list(arrow_type):
        return f"list of {_type(arrow_type.value_type)}"
    return str(arrow_type)


def _limits(column: Column) -> str:
    if column.values is not None:
        return f"{len(column.values)} codes, below" if column.name == "reason_code" else ", ".join(column.values)
    low, high = column.minimum, column.maximum
    if low is None and high is None:
        return ""
    return f"{'' if low is None else f'{low:g}'} … {'' if high is None else f'{high:g}'}".strip()


def main(arguments: list[str]) -> None:
    """Write the page to the file named in `arguments`, or to docs/ of the working tree."""
    target = Path(arguments[0]) if arguments else PAGE
    target.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
