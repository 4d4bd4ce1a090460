"""`vfscreen evaluate-model`: nothing measured is no success; on real data the table is whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vfscreen.cli.main import build_app


def test_a_folder_without_readings_is_not_evaluated(tmp_path: Path) -> None:
    result = CliRunner().invoke(build_app(), ["evaluate-model", str(tmp_path)])
    assert result.exit_code == 1
    assert "no reading" in result.output


def test_help_has_examples() -> None:
    result = CliRunner().invoke(build_app(), ["evaluate-model", "--help"])
    assert result.exit_code == 0 and "Examples" in result.output


@pytest.mark.slow
def test_the_table_of_a_held_out_volume(shared_data: Path) -> None:
    arguments = ["evaluate-model", str(shared_data / "ct"), "--only", "ircad_1_1", "--simulate", "2", "--json"]
    result = CliRunner().invoke(build_app(), arguments)
    assert result.exit_code == 0, result.output
    document = json.loads(result.output)
    rows = {(row["group"], row["name"]): row for row in document["rows"]}
    found = rows[("real CT, whole chain", "vertebrae found")]
    assert found["value"] == 1.0 and found["n"] == 5
    assert all(row["value"] is not None for row in document["rows"] if row["n"])
