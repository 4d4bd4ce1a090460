"""Turn a locator's checkpoint into shipped weights beside its card.

Belongs here: writing safetensors and the card's technical part. Does not belong here: what a person writes on the card
(description, data, licences, limitations): it stays; metrics (vertebra_export.record_metrics).
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from vfscreen.models.cards import WeightCard, save_tensors, write_card
from vfscreen.models.locator import LocatorParameters
from vfscreen.models.lowres import CELL_MM
from vfscreen.models.networks3d import LocatorNet
from vfscreen.models.ports import COLUMN_CLASSES
from vfscreen.training.loop import averaged_weights


def export_locator(checkpoint: Path, card_path: Path) -> WeightCard:
    """Write the averaged weights of a checkpoint beside `card_path` and bring the card up to date.

    The card file must exist with the parts a person writes. Metrics of other weights are dropped. Raises
    ValueError (pydantic) where the card is incomplete.
    """
    weights, step = averaged_weights(checkpoint)
    network = LocatorNet()
    network.load_state_dict(weights)
    entry: dict[str, Any] = yaml.safe_load(card_path.read_text(encoding="utf-8"))
    entry |= {
        "architecture": "vfscreen.models.networks3d.LocatorNet",
        "hyperparameters": {
            "widths": list(network.widths),
            "head_width": network.head_width,
            "trained_steps": step,
        },
        "preprocessing": {
            "window": {"lower_hu": -1000.0, "upper_hu": 2000.0, "centre_hu": -1000.0, "scale_hu": 1000.0},
            "spacing_mm": [CELL_MM] * 3,
        },
        "labels": {"levels": list(COLUMN_CLASSES)},
        "decode": asdict(LocatorParameters()) | (entry.get("decode") or {}),
        "metrics": [],
        "sha256": save_tensors(network.state_dict(), card_path.with_suffix(".safetensors")),
    }
    card = WeightCard.model_validate(entry)
    write_card(card, card_path)
    return card
