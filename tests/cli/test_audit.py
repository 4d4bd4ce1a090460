"""`vfscreen audit`: what the shell sees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vfscreen.audit.inputs import AuditInputError
from vfscreen.cli.main import build_app
from vfscreen.lake.store import Lake


def call(*arguments: str, given: str | None = None) -> tuple[int, str, BaseException | None]:
    result = CliRunner().invoke(build_app(), ["audit", *arguments], input=given)
    return result.exit_code, result.output, result.exception


@pytest.mark.parametrize("command", ["run", "import-reread", "read"])
def test_help_has_examples(command: str) -> None:
    code, output, _ = call(command, "--help")
    assert code == 0 and "Examples" in output and "vfscreen audit" in output


def test_the_rules_can_be_tried_on_a_text() -> None:
    code, output, _ = call("read", "No acute fracture. Chronic wedge deformity of T12.")
    assert code == 0
    assert output.splitlines() == [
        "negated: no level; 'fracture'; because of 'No'; new ones only",
        "historical: levels T12; 'deformity of T12'; because of 'Chronic'",
    ]
    assert call("read", "Lungs are clear.")[1].strip() == "no vertebral fracture is mentioned"


def test_a_text_from_stdin_in_another_language_as_json() -> None:
    code, output, _ = call("read", "--language", "de", "--json", given="Alte Sinterungsfraktur BWK 12.")
    assert code == 0
    (mention,) = json.loads(output)
    assert (mention["status"], mention["levels"]) == ("historical", ["T12"])


def test_an_empty_lake_is_audited_and_everything_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VFSCREEN_IDENTITY_KEY", "a key for this test only")
    lake = Lake.create(tmp_path / "lake")
    reports = tmp_path / "reports.csv"
    reports.write_text("accession,date,text\nA1,2024-01-02,Fracture of L1.\n,2024-01-02,x\n")
    arguments = ["run", "--lake", lake.url, "--reports", str(reports), "--out", str(tmp_path / "audits")]
    code, output, _ = call(*arguments, "--json")
    assert code == 0, output
    summary = json.loads(output)
    assert summary["reports"] == {
        "rows": 2, "without_accession": 1, "not_in_lake": 1, "without_text": 0, "read": 0, "date_unreadable": 0,
    }  # fmt: skip
    assert summary["missed_rates"][0]["missed_rate"] is None
    code, output, _ = call(*arguments)
    assert code == 0 and "Made before" in output
    code, output, _ = call(*arguments, "--dry-run")
    assert code == 0 and "would be left as it is" in output.replace("\n", " ")


def test_a_table_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    code, _, error = call("run", "--lake", lake.url, "--reports", "none.csv", "--out", str(tmp_path / "audits"))
    assert code == 1 and isinstance(error, AuditInputError)
