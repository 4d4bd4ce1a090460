"""Turn a run's best network into weights beside a card, and put what was measured on it.

Belongs here: writing safetensors, the card's technical part, its metrics from an evaluation's tables. Does not belong
here: what a person writes on the card (description, data, licences): it is taken over from another card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from vfscreen.models.cards import CropCard, Metric, WeightCard, save_tensors, write_card
from vfscreen.models.fresh_classifier import FreshDecode
from vfscreen.spine.film_crop import CropSpec
from vfscreen.training.fresh_data import TONE
from vfscreen.training.fresh_train import load_best

Row = Mapping[str, Any]

CAUTION = (
    "Research only: trained and measured on simulated fractures. A working pipeline, not a clinical claim; retrain on "
    "labelled films of one's own before any other use."
)
"""First limitation of every card whose data are simulated."""


def export_fresh(
    run: Path, card_path: Path, person_part: Path, spec: CropSpec, decode: FreshDecode, metrics: Sequence[Metric]
) -> WeightCard:
    """Write the weights beside `card_path` and their card.

    person_part: a card, or a YAML file with the parts of one that a person writes. The card is always research_only.
    Raises ValueError (pydantic) where the card is incomplete.
    """
    network, step = load_best(run)
    entry: dict[str, Any] = yaml.safe_load(person_part.read_text(encoding="utf-8"))
    limitations = [text for text in entry.get("limitations") or [] if text != CAUTION]
    entry |= {
        "name": card_path.stem,
        "kind": "fresh",
        "architecture": "vfscreen.models.fresh_network.FreshNet",
        "hyperparameters": {
            "architecture": network.architecture,
            "dropout": network.dropout,
            "trained_steps": step,
        },
        "preprocessing": {"film": TONE.model_dump(), "crop": CropCard.of(spec).model_dump()},
        "labels": {"fresh": ["fresh"]},
        "decode": asdict(decode),
        "metrics": [metric.model_dump() for metric in metrics],
        "limitations": [CAUTION, *limitations],
        "research_only": True,
        "sha256": save_tensors(network.state_dict(), card_path.with_suffix(".safetensors")),
    }
    card = WeightCard.model_validate(entry)
    write_card(card, card_path)
    return card


def card_metrics(rows: Sequence[Row], model: str, data: Mapping[str, str], command: str) -> list[Metric]:
    """An evaluation's table `metrics` as a card states it: of one model, one interval a number.

    data: split -> what its items are. Proportions carry the bootstrap's interval over patients where there is one.
    """
    found = []
    for row in rows:
        if row["model"] != model or row["estimate"] is None or row["interval"] == "wilson":
            continue
        ci95 = None if row["low"] is None else (round(row["low"], 4), round(row["high"], 4))
        found.append(
            Metric(
                name=row["name"],
                value=round(row["estimate"], 4),
                unit="",
                ci95=ci95,
                n=row["n"],
                data=data[row["split"]],
                command=command,
            )
        )
    return found
