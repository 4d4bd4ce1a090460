"""Rows are checked against the declaration at the write."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.schema.columns import Column, Table

TABLE = Table(
    "t",
    "a test",
    ("key",),
    (
        Column("key", pa.string(), "Key.", nullable=False),
        Column("share", pa.float64(), "A share.", minimum=0, maximum=1),
        Column("points_mm", pa.list_(pa.float64(), 3), "A point.", minimum=-10),
        Column("kind", pa.string(), "Kind.", values=("a", "b")),
        Column("count", pa.int32(), "Count.", minimum=0),
    ),
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"key": st.text(st.characters(blacklist_categories=("Cs",)))},
            optional={
                "share": st.none() | st.floats(0, 1),
                "points_mm": st.none() | st.lists(st.floats(-10, 1e9), min_size=3, max_size=3),
                "kind": st.sampled_from(["a", "b", None]),
                "count": st.none() | st.integers(0, 2**31 - 1),
            },
        )
    )
)
def test_allowed_rows_come_back_as_they_were(rows: list[dict[str, Any]]) -> None:
    arrow = TABLE.to_arrow(rows)
    assert arrow.schema.equals(TABLE.arrow_schema)
    assert arrow.to_pylist() == [{c.name: row.get(c.name) for c in TABLE.columns} for row in rows]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({}, "key is null"),
        ({"key": "k", "share": -0.01}, "below 0"),
        ({"key": "k", "share": 1.01}, "above 1"),
        ({"key": "k", "share": math.nan}, "null with a reason"),
        ({"key": "k", "share": math.inf}, "null with a reason"),
        ({"key": "k", "points_mm": [0.0, 0.0, -11.0]}, "below -10"),
        ({"key": "k", "points_mm": [0.0, 0.0, math.nan]}, "null with a reason"),
        ({"key": "k", "kind": "c"}, "not one of"),
        ({"key": "k", "other": 1}, "no column"),
    ],
)
def test_other_rows_are_refused_by_name(row: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        TABLE.to_arrow([row])


def test_a_column_is_declared_once() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        Table("t", "x", ("a",), (Column("a", pa.string(), "A."), Column("a", pa.string(), "A.")))
