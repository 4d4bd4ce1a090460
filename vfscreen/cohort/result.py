"""The answer to a question, as Arrow, pandas, rows, CSV or Parquet. Belongs here: nothing but these forms of it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet

if TYPE_CHECKING:
    import pandas as pd


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

    def to_pandas(self) -> pd.DataFrame:
        """A data frame with nullable types: a missing count stays missing and does not become a float."""
        import pandas as pd

        return self.table.to_pandas(types_mapper=pd.ArrowDtype)

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
