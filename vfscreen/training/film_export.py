"""Turn checkpoints of the film networks into shipped weights beside their cards.

Belongs here: writing safetensors and the cards' technical parts. Does not belong here: what a person writes on a card
(description, data, licences, limitations): it stays; metrics (vertebra_export.record_metrics).
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from vfscreen.models.cards import FilmPatchCard, StripCard, WeightCard, save_tensors, write_card
from vfscreen.models.endplates import EndplateDecode
from vfscreen.models.film_context import ContextParameters
from vfscreen.models.film_locator import FilmLocatorDecode
from vfscreen.models.networks2d import EndplateNet, FilmLocatorNet, VertebraNet
from vfscreen.models.vertebra import DecodeParameters
from vfscreen.schema.names import KEYPOINTS, LEVELS
from vfscreen.spine.film_patches import FilmPatchSpec
from vfscreen.spine.film_strip import StripSpec
from vfscreen.training.film_locator_samples import WHOLE_FILM_TONE
from vfscreen.training.film_patch_samples import PATCH_TONE
from vfscreen.training.film_strip_samples import STRIP_TONE
from vfscreen.training.loop import averaged_weights


def export_film_locator(checkpoint: Path, card_path: Path) -> WeightCard:
    """Write the averaged film locator of a checkpoint beside `card_path`; see `_export`."""
    return _export(
        FilmLocatorNet(), checkpoint, card_path, {"film": WHOLE_FILM_TONE.model_dump()}, {}, asdict(FilmLocatorDecode())
    )


def export_film_vertebra(checkpoint: Path, card_path: Path) -> WeightCard:
    """Write the averaged film vertebra network of a checkpoint beside `card_path`; see `_export`."""
    return _export(
        VertebraNet(planes=1),
        checkpoint,
        card_path,
        {"film": STRIP_TONE.model_dump(), "strip": StripCard.of(StripSpec()).model_dump()},
        {"levels": list(LEVELS), "keypoints": list(KEYPOINTS)},
        asdict(DecodeParameters(score_min=0.08)) | {"context": asdict(ContextParameters())},
    )


def export_film_endplates(checkpoint: Path, card_path: Path) -> WeightCard:
    """Write the averaged film endplate network of a checkpoint beside `card_path`; see `_export`."""
    return _export(
        EndplateNet(planes=1),
        checkpoint,
        card_path,
        {"film": PATCH_TONE.model_dump(), "film_patch": FilmPatchCard.of(FilmPatchSpec()).model_dump()},
        {"keypoints": list(KEYPOINTS)},
        asdict(EndplateDecode()),
    )


def _export(
    network: FilmLocatorNet | VertebraNet | EndplateNet,
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
    weights, step = averaged_weights(checkpoint)
    network.load_state_dict(weights)
    entry: dict[str, Any] = yaml.safe_load(card_path.read_text(encoding="utf-8"))
    entry |= {
        "architecture": f"vfscreen.models.networks2d.{type(network).__name__}",
        "hyperparameters": {"planes": network.planes, "widths": list(network.widths), "trained_steps": step},
        "preprocessing": preprocessing,
        "labels": labels,
        "decode": decode | (entry.get("decode") or {}),
        "metrics": [],
        "sha256": save_tensors(network.state_dict(), card_path.with_suffix(".safetensors")),
    }
    card = WeightCard.model_validate(entry)
    write_card(card, card_path)
    return card
