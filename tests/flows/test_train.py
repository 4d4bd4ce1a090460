"""`vfscreen train`: a tiny training from synthetic patients to a card that loads, and again without doing anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from flows.train import card_problem
from flows.train_cli import run_training_plan
from vfscreen.cli.main import build_app
from vfscreen.models.endplates import load_endplate_reader
from vfscreen.models.registry import WEIGHTS_DIR

SOURCE = {"name": "phantom0", "origin": "vfscreen.synthesis", "licence": "Apache-2.0", "use": "train"}


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    content = {
        "work": "work",
        "data": {"phantoms": 1, "description": [SOURCE]},
        "networks": {"endplates": {"card": "cards/endplates-tiny.yaml", "steps": 2, "batch": 2, "patches": 4}},
    }
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.slow
def test_data_become_a_card_and_a_second_start_has_nothing_to_do(plan: Path) -> None:
    done, problem = run_training_plan(str(plan))
    assert problem is None
    assert [(row["stage"], row["skipped"]) for row in done["stages"]] == [
        (name, False) for name in ("prepare", "pool", "train", "export")
    ]
    card = plan.parent / "cards" / "endplates-tiny.yaml"
    assert done["cards"] == [str(card)]
    assert load_endplate_reader(card, device="cpu").patch_spec.rows == 96
    again, problem = run_training_plan(str(plan))
    assert problem is None and all(row["skipped"] for row in again["stages"])
    card.with_suffix(".safetensors").write_bytes(b"not ours")
    assert run_training_plan(str(plan))[1] is not None


def test_a_network_that_is_not_in_the_plan_is_no_success(plan: Path) -> None:
    done, problem = run_training_plan(str(plan), ["locator"])
    assert done["stages"] == [] and problem == "the plan names no such network"


def test_the_command_refuses_what_is_no_plan(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text("work: here")
    app = build_app()
    names = [c.name for c in app.registered_commands]
    if "train" not in names:
        from flows.train_cli import register

        register(app)
    result: Any = CliRunner().invoke(app, ["train", str(tmp_path / "plan.yaml")])
    assert result.exit_code != 0 and "no training plan" in str(result.exception) + result.output


def test_a_card_is_judged_with_its_weights(tmp_path: Path) -> None:
    card = WEIGHTS_DIR / "endplates-v1.yaml"
    assert card_problem(str(card)) is None
    (tmp_path / card.name).write_text(card.read_text())
    assert card_problem(str(tmp_path / card.name)) is not None
