"""A training: from a plan of data and networks to weight cards, stage by stage.

Belongs here: the order of the stages, artifacts, the verdict. Does not belong here: what a stage does
(vfscreen.training.stages). Success is judged by the cards that lie there afterwards, never by task states.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from tasks.train import plan_stages_task, read_plan_task, run_stage_task
from vfscreen.errors import WeightsError
from vfscreen.models.cards import load_tensors, read_card


@flow(name="vertebral-fracture-training", persist_result=False)
def training(plan_file: str, networks: list[str] | None = None) -> State[dict[str, Any]]:
    """Train the networks of the plan in `plan_file` (YAML, vfscreen.training.plan), or only those named.

    Stages that have been done are skipped, a stopped training goes on from its checkpoint. Returns a Completed or
    Failed state whose data says what was done and which cards stand. Raises SettingsError for a file that is no plan or
    a network that is not in it, and what a stage raises.
    """
    plan = read_plan_task(Path(plan_file))
    chosen = [s for s in plan_stages_task(plan) if networks is None or s.network in networks]
    log, rows = get_run_logger(), []
    for stage in chosen:
        done = run_stage_task(plan, stage)
        log.info("%s %s: %s", done.network, done.stage, "had been done" if done.skipped else "done")
        rows.append({"network": done.network, "stage": done.stage, "skipped": done.skipped})
    cards = {str(plan.networks[name].card) for name in dict.fromkeys(s.network for s in chosen)}
    wrong = [message for card in sorted(cards) if (message := card_problem(card))]
    create_table_artifact(rows, key="training-stages", description="Stages of the training")
    state = Failed if wrong or not chosen else Completed
    message = wrong[0] if wrong else ("completed" if chosen else "the plan names no such network")
    return state(message=message, data={"stages": rows, "cards": sorted(cards)})


def card_problem(card: str) -> str | None:
    """Why a card does not stand, with weights that are its own, or None."""
    try:
        load_tensors(read_card(Path(card)), Path(card))
    except WeightsError as error:
        return str(error)
    return None
