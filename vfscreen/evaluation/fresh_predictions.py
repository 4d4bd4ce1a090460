"""Probabilities of a fresh fracture, item by item and model by model, and their CSV file.

Belongs here: the value, its file, the ensemble. Does not belong here: who made them (training.fresh_predict), what they
are worth (fresh).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vfscreen.evaluation.metric import Bool, EvaluationError, Float

ENSEMBLE = "ensemble"
_ITEM = ("item_id", "patient_id", "split", "fresh")
"""Columns of the file before those of the models."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities of a fresh fracture, of n items. scores: model -> (n,).

    ValueError where lengths differ or a probability is not one.
    """

    item_id: tuple[str, ...]
    patient_id: tuple[str, ...]
    split: tuple[str, ...]
    truth: Bool
    scores: Mapping[str, Float]

    def __post_init__(self) -> None:
        n = len(self.item_id)
        if not all(len(part) == n for part in (self.patient_id, self.split, self.truth, *self.scores.values())):
            raise ValueError("predictions differ in length")
        for model, score in self.scores.items():
            if not (np.isfinite(score).all() and (score >= 0).all() and (score <= 1).all()):
                raise ValueError(f"probabilities of {model} are not between 0 and 1")

    def take(self, index: Sequence[int]) -> Predictions:
        """These items, in this order."""
        return Predictions(
            tuple(self.item_id[i] for i in index),
            tuple(self.patient_id[i] for i in index),
            tuple(self.split[i] for i in index),
            self.truth[list(index)],
            {model: score[list(index)] for model, score in self.scores.items()},
        )

    def of(self, split: str) -> Predictions:
        """The items of one split."""
        return self.take([i for i, s in enumerate(self.split) if s == split])


def with_ensemble(predictions: Predictions) -> Predictions:
    """The models' mean log-odds as one model more; unchanged where there are fewer than two."""
    if len(predictions.scores) < 2 or ENSEMBLE in predictions.scores:
        return predictions
    clipped = np.clip(np.stack(list(predictions.scores.values())), 1e-6, 1 - 1e-6)
    mean = np.log(clipped / (1 - clipped)).mean(axis=0)
    scores = {**predictions.scores, ENSEMBLE: 1 / (1 + np.exp(-mean))}
    return Predictions(predictions.item_id, predictions.patient_id, predictions.split, predictions.truth, scores)


def merged(parts: Sequence[Predictions]) -> Predictions:
    """Models of several predictions side by side. Raises EvaluationError where items, truth or names do not agree."""
    first = parts[0]
    place = {item: n for n, item in enumerate(first.item_id)}
    scores = dict(first.scores)
    for part in parts[1:]:
        if set(part.item_id) != set(place):
            raise EvaluationError("predictions are of other items: evaluate every model on the same ones")
        order = sorted(range(len(part.item_id)), key=lambda n: place[part.item_id[n]])
        same = part.take(order)
        if (same.patient_id, same.split) != (first.patient_id, first.split) or (same.truth != first.truth).any():
            raise EvaluationError("predictions disagree on an item's patient, split or truth")
        if again := set(same.scores) & set(scores):
            raise EvaluationError(f"model {sorted(again)[0]!r} is there twice: give models different names")
        scores |= same.scores
    return Predictions(first.item_id, first.patient_id, first.split, first.truth, scores)


def predictions_csv(predictions: Predictions) -> bytes:
    """One row an item, one column a model; every digit, so that what follows from the file is the same."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*_ITEM, *predictions.scores])
    for n, item in enumerate(predictions.item_id):
        found = [repr(float(score[n])) for score in predictions.scores.values()]
        place = [predictions.patient_id[n], predictions.split[n], int(predictions.truth[n])]
        writer.writerow([item, *place, *found])
    return stream.getvalue().encode("utf-8")


def read_predictions(path: Path) -> Predictions:
    """A file that `predictions_csv` made. Raises EvaluationError."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream, strict=True))
        models = [name for name in (rows[0] if rows else {}) if name not in _ITEM]
        return Predictions(
            tuple(r["item_id"] for r in rows),
            tuple(r["patient_id"] for r in rows),
            tuple(r["split"] for r in rows),
            np.array([r["fresh"] == "1" for r in rows], dtype=np.bool_),
            {model: np.array([float(r[model]) for r in rows]) for model in models},
        )
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise EvaluationError(f"predictions {path} cannot be read: {error!r}") from error
