"""The written part of a new weight card: what no program can know, from the training's plan.

Belongs here: a card to begin with. Does not belong here: its technical part and numbers (the networks' exports).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from vfscreen.models.cards import TrainingSource
from vfscreen.models.registry import release_cards

NOT_MEASURED = "Nothing was measured yet: run `vfscreen evaluate-model` on held-out volumes, then say what it lacks."


def start_card(path: Path, network: str, data: Sequence[TrainingSource]) -> None:
    """Write a card to `path` unless one lies there: kind and architecture of the shipped network of that name, data as
    described, nothing measured. A card that a person has written stays as it is."""
    if path.exists():
        return
    entry = yaml.safe_load(release_cards()[network].read_text(encoding="utf-8"))
    entry |= {
        "name": path.stem,
        "version": "1",
        "description": f"{network}: trained by `vfscreen train` on the data below.",
        "decode": {},
        "training_data": [item.model_dump(mode="json") for item in data],
        "training_command": "vfscreen train PLAN",
        "metrics": [],
        "limitations": [NOT_MEASURED],
        "licence": "; ".join(sorted({item.licence for item in data})),
        "sha256": "0" * 64,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(entry, sort_keys=False, allow_unicode=True), encoding="utf-8")
