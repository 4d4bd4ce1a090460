"""Turn a checkpoint into shipped weights, and measured numbers into the card's metrics.

Belongs here: writing safetensors and bringing a card up to date. Does not belong here: the parts of a card a person
writes (description, data, licences, limitations): they stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vfscreen.models.cards import PatchCard, SlabCard, WeightCard, save_tensors, write_card
from vfscreen.models.endplates import CORNERS, EndplateDecode
from vfscreen.models.networks2d import EndplateNet, VertebraNet
from vfscreen.models.vertebra import DecodeParameters
from vfscreen.morphometry.probability import GradeCalibration
from vfscreen.schema.names import KEYPOINTS, LEVELS
from vfscreen.spine.patches import PatchSpec
from vfscreen.spine.straighten import SlabSpec
from vfscreen.training.loop import averaged_weights
from vfscreen.training.vertebra_evaluate import Number
from vfscreen.training.vertebra_train import WINDOW


def export_weights(checkpoint: Path, card_path: Path) -> WeightCard:
    """Write the averaged vertebra network of a checkpoint beside `card_path`; see `_export`."""
    return _export(
        VertebraNet(),
        checkpoint,
        card_path,
        {"window": WINDOW.model_dump(), "slab": SlabCard.of(SlabSpec()).model_dump()},
        {"levels": list(LEVELS), "keypoints": list(KEYPOINTS)},
        asdict(DecodeParameters()),
    )


def export_endplates(checkpoint: Path, card_path: Path) -> WeightCard:
    """Write the averaged endplate network of a checkpoint beside `card_path`; see `_export`."""
    return _export(
        EndplateNet(),
        checkpoint,
        card_path,
        {"window": WINDOW.model_dump(), "patch": PatchCard.of(PatchSpec()).model_dump()},
        {"corners": [KEYPOINTS[k] for k in CORNERS], "plates": ["superior", "inferior"]},
        asdict(EndplateDecode()),
    )


def _export(
    network: VertebraNet | EndplateNet,
    checkpoint: Path,
    card_path: Path,
    preprocessing: dict[str, Any],
    labels: dict[str, list[str]],
    decode: dict[str, Any],
) -> WeightCard:
    """Bring a card up to date with the weights of a checkpoint.

    The card file must exist with the parts a person writes; numbers in its `decode` stand above the defaults. Metrics
    of other weights are dropped: they are measured again. Raises ValueError (pydantic) where the card is incomplete.
    """
    network.load_state_dict(averaged_weights(checkpoint)[0])
    entry: dict[str, Any] = yaml.safe_load(card_path.read_text(encoding="utf-8"))
    entry |= {
        "architecture": f"vfscreen.models.networks2d.{type(network).__name__}",
        "hyperparameters": {"planes": network.planes, "widths": list(network.widths)},
        "preprocessing": preprocessing,
        "labels": labels,
        "decode": decode | (entry.get("decode") or {}),
        "metrics": [],
        "sha256": save_tensors(network.state_dict(), card_path.with_suffix(".safetensors")),
    }
    card = WeightCard.model_validate(entry)
    write_card(card, card_path)
    return card


def record_metrics(card_path: Path, data: str, command: str, numbers: Sequence[Number]) -> None:
    """Put measured numbers on a card; those of the same data are replaced."""
    entry: dict[str, Any] = yaml.safe_load(card_path.read_text(encoding="utf-8"))
    kept = [metric for metric in entry["metrics"] if metric["data"] != data]
    added = [
        {
            "name": number.name,
            "value": round(number.value, 4),
            "unit": number.unit,
            "ci95": None if number.ci95 is None else [round(v, 4) for v in number.ci95],
            "n": number.n,
            "data": data,
            "command": command,
        }
        for number in numbers
        if np.isfinite(number.value)  # what nothing was measured on is no metric
    ]
    entry["metrics"] = kept + added
    write_card(WeightCard.model_validate(entry), card_path)


def record_sd_scale(card_path: Path, value: float) -> None:
    """Put a newly fitted key point scale on a card."""
    _record_decode(card_path, {"sd_scale": round(value, 3)})


def record_calibration(card_path: Path, calibration: GradeCalibration) -> None:
    """Put a newly fitted calibration of the grades' probabilities on a card."""
    offset, slope = list(calibration.offset), list(calibration.slope)
    _record_decode(card_path, {"grade_offset": offset, "grade_slope": slope})


def _record_decode(card_path: Path, values: dict[str, object]) -> None:
    entry: dict[str, Any] = yaml.safe_load(card_path.read_text(encoding="utf-8"))
    entry["decode"] |= values
    write_card(WeightCard.model_validate(entry), card_path)


def numbers_json(numbers: Sequence[Number]) -> str:
    return json.dumps([asdict(number) for number in numbers], indent=1)
