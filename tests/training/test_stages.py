"""A plan becomes the commands a person would type, each done once, again only where the plan changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from vfscreen.errors import SettingsError
from vfscreen.models.cards import read_card
from vfscreen.training import stages as stages_module
from vfscreen.training.plan import TrainingPlan, read_plan
from vfscreen.training.stages import BUILDERS, COMMANDS, Stage, run_stage, stages

SOURCE = {"name": "phantoms", "origin": "vfscreen.synthesis", "licence": "Apache-2.0", "use": "train"}


def write_plan(folder: Path, **changes: Any) -> Path:
    content = {
        "work": "work",
        "data": {"readings": "ct", "volumes": {"b": "b_dicom"}, "exclude": ["c"], "description": [SOURCE]},
        "networks": {name: {"card": f"cards/{name}-ours.yaml"} for name in BUILDERS},
        **changes,
    }
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ct").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "ct" / f"{name}_six_points.json").write_text("{}")
        (tmp_path / "ct" / f"{name}_3mm.nii.gz").write_text("")
    return tmp_path


def by_key(plan: TrainingPlan) -> dict[tuple[str, str], Stage]:
    return {(s.network, s.name): s for s in stages(plan)}


def test_every_network_goes_from_data_to_a_card_and_held_out_volumes_stay_out(folder: Path) -> None:
    plan = read_plan(write_plan(folder))
    found = by_key(plan)
    assert [s.name for s in stages(plan) if s.network == "endplates"] == ["prepare", "pool", "train", "export"]
    assert {network for network, name in found if name == "export"} == set(COMMANDS) == set(BUILDERS)
    spine = found["vertebra", "prepare"].arguments
    assert found["endplates", "prepare"].arguments == spine  # cases are cut once
    assert spine[spine.index("--exclude") + 1] == "c"
    assert f"b={folder / 'b_dicom'}" in spine
    for network in ("locator", "ribs"):
        words = found[network, "prepare"].arguments
        assert [words[n + 1] for n, word in enumerate(words) if word == "--name"] == ["a", "b"]


def test_a_change_touches_what_comes_after_it(folder: Path) -> None:
    before = by_key(read_plan(write_plan(folder)))
    networks = {name: {"card": f"cards/{name}-ours.yaml"} for name in BUILDERS} | {
        "endplates": {"card": "cards/endplates-ours.yaml", "patches": 9}
    }
    after = by_key(read_plan(write_plan(folder, networks=networks)))
    changed = {key for key in before if before[key].digest != after[key].digest}
    assert changed == {("endplates", "pool"), ("endplates", "train"), ("endplates", "export")}
    run = [
        a.arguments[a.arguments.index("--run") + 1] for a in (before["endplates", "train"], after["endplates", "train"])
    ]
    assert run[0] != run[1]  # the old run's checkpoint is not resumed


def test_a_stage_is_done_once_and_a_failed_one_is_done_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = read_plan(write_plan(folder))
    stage = by_key(plan)["vertebra", "prepare"]
    calls, status = [], [1, 0]

    def command(arguments: Sequence[str]) -> int:
        calls.append(tuple(arguments))
        return status[len(calls) - 1]

    monkeypatch.setitem(stages_module.COMMANDS, "vertebra", command)
    with pytest.raises(RuntimeError, match="vertebra prepare"):
        run_stage(plan, stage)
    assert not run_stage(plan, stage).skipped
    assert run_stage(plan, stage).skipped
    assert calls == [stage.arguments] * 2


def test_an_export_begins_a_card_with_the_plans_data_and_keeps_one_that_is_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = read_plan(write_plan(folder))
    stage = by_key(plan)["ribs", "export"]
    seen: list[Sequence[str]] = []
    monkeypatch.setitem(stages_module.COMMANDS, "ribs", lambda arguments: bool(seen.append(arguments)))
    run_stage(plan, stage)
    card = read_card(plan.networks["ribs"].card)
    assert (card.name, card.kind, card.metrics) == ("ribs-ours", "ribs", ())
    assert [s.licence for s in card.training_data] == ["Apache-2.0"]
    assert str(stage.run) in seen[0][-1] and seen[0][-2] == "--checkpoint"
    plan.networks["ribs"].card.write_text("mine")
    (plan.work / "stages" / f"{stage.key}.json").unlink()
    run_stage(plan, stage)
    assert plan.networks["ribs"].card.read_text() == "mine"


@pytest.mark.parametrize(
    "changes",
    [{"networks": {}}, {"networks": {"oracle": {"card": "x.yaml"}}}, {"data": {"readings": "ct"}}, {"step": 1}],
)
def test_a_file_that_is_no_plan_is_refused(folder: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="no training plan"):
        read_plan(write_plan(folder, **changes))
