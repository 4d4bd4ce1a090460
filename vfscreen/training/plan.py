"""What one training of a release's networks is: data, networks, where the cards go. A YAML file, checked.

Belongs here: the description. Does not belong here: the stages it leads to (stages), running them (flows.train).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vfscreen.errors import SettingsError
from vfscreen.models.cards import TrainingSource

Network = Literal["locator", "vertebra", "endplates", "ribs"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataPlan(_Part):
    """Where cases come from; each may be left out.

    readings: folder of NAME_six_points.json with their volumes (docs/adding-a-model.md), `volumes` those that lie
    elsewhere. verse: a VerSe folder as it was published. label_maps: VerSe label maps, rendered `renders` times each.
    phantoms: synthetic patients. exclude: names of readings and label maps held out, on which the weights are measured.
    description: what goes onto the cards as training data, licences with it: nobody else knows them.
    """

    readings: Path | None = None
    volumes: dict[str, Path] = {}
    verse: Path | None = None
    label_maps: Path | None = None
    renders: int = Field(3, ge=1)
    phantoms: int = Field(12, ge=0)
    exclude: tuple[str, ...] = ()
    description: tuple[TrainingSource, ...] = Field(min_length=1)


class NetworkPlan(_Part):
    """One network. card: the card to write, weights beside it. steps, batch: None is the command's default. patches:
    size of the endplates' pool. case_weights: chance of a case by the beginning of its name. validate: beginnings of
    names of cases that early stopping looks at (endplates)."""

    card: Path
    steps: int | None = Field(None, ge=1)
    batch: int | None = Field(None, ge=1)
    patches: int = Field(16000, ge=1)
    case_weights: dict[str, float] = {}
    validate_on: tuple[str, ...] = ()
    patience: int = Field(0, ge=0)


class TrainingPlan(_Part):
    """A training as a whole. work: folder of cases, runs and what was done; a second start goes on from there."""

    work: Path
    data: DataPlan
    networks: dict[Network, NetworkPlan] = Field(min_length=1)
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = Field(1, ge=1)
    seed: int = 0


def read_plan(path: Path) -> TrainingPlan:
    """The plan in a YAML file; relative paths in it are relative to the file. Raises SettingsError."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        plan = TrainingPlan.model_validate(content)
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise SettingsError(f"{path} is no training plan: {error}") from error
    return _located(plan, path.resolve().parent)


def _located(plan: TrainingPlan, folder: Path) -> TrainingPlan:
    def at(path: Path | None) -> Path | None:
        return None if path is None else folder / path

    data: dict[str, Any] = {
        "readings": at(plan.data.readings),
        "verse": at(plan.data.verse),
        "label_maps": at(plan.data.label_maps),
        "volumes": {name: folder / path for name, path in plan.data.volumes.items()},
    }
    networks = {name: n.model_copy(update={"card": folder / n.card}) for name, n in plan.networks.items()}
    return plan.model_copy(
        update={"work": folder / plan.work, "data": plan.data.model_copy(update=data), "networks": networks}
    )
