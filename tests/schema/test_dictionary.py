"""The data dictionary page is the declarations' own words, and is not stale."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vfscreen.errors import REASONS, ReasonCode
from vfscreen.schema.dictionary import PAGE, render
from vfscreen.schema.tables import TABLES

ROOT = Path(__file__).parents[2]


def test_the_page_in_docs_is_current() -> None:
    page = ROOT / PAGE
    assert page.read_text(encoding="utf-8") == render(), "run: python -m vfscreen.schema.dictionary"


def test_every_column_and_reason_is_described() -> None:
    page = render()
    for table in TABLES:
        assert f"## {table.name}\n" in page
        for column in table.columns:
            assert f"| `{column.name}` |" in page
            assert len(column.description) > 3
    assert set(REASONS) == set(ReasonCode)
    for code in ReasonCode:
        assert f"| `{code.value}` | {REASONS[code]} |" in page


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    target = tmp_path / "page.md"
    subprocess.run([sys.executable, "-m", "vfscreen.schema.dictionary", str(target)], check=True)
    assert target.read_text(encoding="utf-8") == render()


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_keys_are_columns_that_are_never_null(table) -> None:
    for name in table.key:
        assert not table.by_name[name].nullable
