"""`vfscreen evaluate`: the flow on a real Prefect server, judged by the files it leaves; exit statuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.evaluation.readings import readings_of, small_lake, write_csv
from vfscreen.cli.main import build_app
from vfscreen.evaluation.metric import EvaluationError

SETTINGS = {"evaluation": {"bootstrap_resamples": 200, "grade_targets": [2]}}
GRADES = {0: (2, 0), 1: (2, 0), 2: (0, 0), 3: (0, 0), 4: (0, 2)}
LOSSES = {0: (0.3, 0.0), 1: (0.45, 0.1), 2: (0.05, 0.0), 3: (0.3, 0.0), 4: (0.0, 0.1)}


@pytest.fixture
def lake(tmp_path: Path) -> str:
    """Of five patients two are rightly flagged, one wrongly, one missed, one rightly left."""
    return small_lake(tmp_path / "lake", LOSSES).url


@pytest.fixture
def readings(tmp_path: Path) -> str:
    return write_csv(tmp_path / "readings.csv", readings_of(GRADES))


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(build_app(), ["evaluate", *arguments])


def test_the_flow_writes_the_report_and_says_what_it_found(
    prefect: str, lake: str, readings: str, tmp_path: Path
) -> None:
    from flows.environment import prefect_server
    from flows.evaluate import evaluation

    with prefect_server():
        state = evaluation(lake, [readings], str(tmp_path / "out"), settings=SETTINGS, return_state=True)
    assert state.is_completed()
    summary: dict[str, Any] = state.result()
    assert (summary["patients"], summary["vertebrae_with_reference"]) == (5, 10)
    assert all(Path(summary["folder"], name).is_file() for name in summary["files"])
    rates = {
        m["name"]: m["estimate"]
        for m in summary["metrics"]
        if (m["level"], m["analysis"]) == ("patient", "per_protocol") and m["interval"] in ("wilson", "delong")
    }
    assert rates["sensitivity"] == pytest.approx(2 / 3)
    assert rates["specificity"] == pytest.approx(1 / 2)


def test_success_is_judged_by_the_files(tmp_path: Path) -> None:
    from flows.evaluate import problem
    from vfscreen.report.evaluation.folder import WrittenEvaluation

    (tmp_path / "evaluation.html").write_text("")
    written = WrittenEvaluation(str(tmp_path), ("evaluation.html", "tables/metrics.csv"))
    assert "2 file(s)" in (problem(written) or "")
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "metrics.csv").write_text("")
    (tmp_path / "summary.json").write_text("{}")
    assert problem(written) is None


def test_readings_of_another_archive_raise(prefect: str, lake: str, tmp_path: Path) -> None:
    from flows.evaluate_cli import run_evaluation

    path = write_csv(tmp_path / "other.csv", readings_of({99: (1,)}))
    with pytest.raises(EvaluationError, match="none of the 1 studies"):
        run_evaluation(lake, [path], str(tmp_path / "out"), settings=SETTINGS)
    assert not (tmp_path / "out").exists()


def test_a_dry_run_says_what_would_be_compared_and_writes_nothing(lake: str, readings: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    result = invoke("--lake", lake, "--reference", readings, "--dry-run", "--json")
    assert result.exit_code == 0
    plan = json.loads(result.stdout)
    assert (plan["patients"], plan["vertebrae_evaluable"], plan["studies_in_lake"]) == (5, 10, 5)
    assert "would compare 10 of 10" in invoke("--lake", lake, "--reference", readings, "--dry-run").stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_without_a_place_for_the_report_it_is_wrong_usage(lake: str, readings: str) -> None:
    result = invoke("--lake", lake, "--reference", readings)
    assert result.exit_code == 2
    assert "--out" in result.output


def test_the_command_prints_json_and_ends_with_0(prefect: str, lake: str, readings: str, tmp_path: Path) -> None:
    settings = tmp_path / "site.yaml"
    settings.write_text("evaluation: {bootstrap_resamples: 200}\n")
    result = invoke(
        "--lake", lake, "--reference", readings, "--out", str(tmp_path / "out"), "--settings", str(settings), "--json"
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["folder"] == str(tmp_path / "out")
    assert (tmp_path / "out" / "evaluation.html").is_file()


def test_cards_count_only_for_the_release_that_made_the_rows() -> None:
    from flows.evaluate import release_cards_of
    from vfscreen.models.registry import release_name
    from vfscreen.settings import Settings

    settings = Settings()
    assert release_cards_of(["another-release"], settings) == []
    cards = release_cards_of([release_name(screening=settings.screening)], settings)
    assert {card["kind"] for card in cards} >= {"vertebra", "locator"}


def test_the_help_shows_examples() -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    assert "Examples" in result.stdout


def test_no_name_that_deployments_take_from_the_environment_is_a_section_of_the_settings() -> None:
    """VFSCREEN_<SECTION> is read as settings: a deployment's own variable of that name would break every command."""
    from vfscreen.settings import Settings

    text = (Path(__file__).parents[2] / "prefect.yaml").read_text()
    taken = set(re.findall(r"\$(VFSCREEN_\w+)", text))
    assert {"VFSCREEN_REFERENCE", "VFSCREEN_EVALUATIONS"} <= taken
    assert not taken & {f"VFSCREEN_{section.upper()}" for section in Settings.model_fields}
