"""Turn a rib network's checkpoint into shipped weights beside its card.

Belongs here: writing safetensors and the card's technical part. Does not belong here: what a person writes on the card
(description, data, licences, limitations): it stays; metrics (vertebra_export.record_metrics).
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from vfscreen.models.cards import SlabCard, WeightCard, save_tensors, write_card
from vfscreen.models.rib_network import RibNet
from vfscreen.models.ribs import RibDecode
from vfscreen.spine.priors import VERTEBRA_KINDS
from vfscreen.training.loop import averaged_weights
from vfscreen.training.rib_data import SLAB, WINDOW


def export_ribs(checkpoint: Path, card_path: Path, person_part: Path | None = None) -> WeightCard:
    """Write the averaged weights of a checkpoint beside `card_path` and bring the card up to date.

    person_part: the card whose written parts are taken over; None is `card_path` itself. Metrics of other weights are
    dropped. Raises ValueError (pydantic) where the card is incomplete.
    """
    weights, step = averaged_weights(checkpoint)
    network = RibNet()
    network.load_state_dict(weights)
    entry: dict[str, Any] = yaml.safe_load((person_part or card_path).read_text(encoding="utf-8"))
    entry |= {
        "architecture": "vfscreen.models.rib_network.RibNet",
        "hyperparameters": {
            "planes": network.planes,
            "rows": network.rows,
            "columns": network.columns,
            "widths": list(network.widths),
            "head_width": network.head_width,
            "trained_steps": step,
        },
        "preprocessing": {"window": WINDOW.model_dump(), "slab": SlabCard.of(SLAB).model_dump()},
        "labels": {"kinds": list(VERTEBRA_KINDS)},
        "decode": asdict(RibDecode()) | (entry.get("decode") or {}),
        "metrics": [],
        "sha256": save_tensors(network.state_dict(), card_path.with_suffix(".safetensors")),
    }
    card = WeightCard.model_validate(entry)
    write_card(card, card_path)
    return card
