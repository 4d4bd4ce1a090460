"""Pairs as arrays: which items an analysis is of, what was called, with which probability.

An item without a call of the lake (missed, truncated, study not screened) is *unevaluable*. Three analyses of it:

per_protocol         leaves it out, and says how many;
intention_to_screen  counts it as not flagged, which is what happens to it in the archive;
worst_case           counts it as wrong whichever way the reference goes (Schuetz et al., BMJ 345 (2012) e6717).

Belongs here: arrays. Does not belong here: metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from vfscreen.evaluation.metric import Bool, Float, Int
from vfscreen.evaluation.pairing import PatientPair, VertebraPair

Analysis = Literal["per_protocol", "intention_to_screen", "worst_case"]
ANALYSES: tuple[Analysis, ...] = ("per_protocol", "intention_to_screen", "worst_case")
Level = Literal["vertebra", "patient"]

PROBABILITY = {1: "fracture_probability", 2: "grade2_probability", 3: "grade3_probability"}
"""Which of the lake's probabilities is of a grade of at least this."""

NEVER = -1.0
"""Score of an item that cannot be flagged: below every probability."""


@dataclass(frozen=True, eq=False)
class Items:
    """Items whose reference grade is known. reference: (n,) grades. grade: (n,) of the lake, -1 where there is none.

    probability: target -> (n,) probabilities, NaN where there is none. clusters: the patient of each.
    weights: (n,) of a sample drawn by strata; null where not every item has one.
    """

    level: Level
    reference: Int
    grade: Int
    probability: dict[int, Float]
    clusters: tuple[str, ...]
    reasons: tuple[str | None, ...]
    weights: Float | None = None

    @property
    def evaluable(self) -> Bool:
        return np.asarray(self.grade >= 0)

    @property
    def cluster_argument(self) -> tuple[str, ...] | None:
        """For functions that take clusters: None where every item is a patient."""
        return None if self.level == "patient" else self.clusters

    def subset(self, chosen: Bool) -> Items:
        """The chosen items. chosen: (n,)."""
        index = np.flatnonzero(chosen)
        return Items(
            self.level,
            self.reference[index],
            self.grade[index],
            {target: values[index] for target, values in self.probability.items()},
            tuple(self.clusters[i] for i in index),
            tuple(self.reasons[i] for i in index),
            None if self.weights is None else self.weights[index],
        )


@dataclass(frozen=True, eq=False)
class Scenario:
    """Items of one analysis at one target. unevaluable: how many of the reference's items had no call."""

    truth: Bool
    call: Bool
    score: Float
    scored: Bool
    clusters: tuple[str, ...] | None
    unevaluable: int
    weights: Float | None


def vertebra_items(pairs: Sequence[VertebraPair]) -> Items:
    """Vertebrae whose reference grade is known."""
    known = [p for p in pairs if p.reference.grade is not None]
    return Items(
        "vertebra",
        _grades([p.reference.grade for p in known]),
        _grades([p.grade for p in known]),
        {
            t: _floats([p.found[n] if p.found and p.grade is not None else None for p in known])
            for t, n in PROBABILITY.items()
        },
        tuple(p.patient_key for p in known),
        tuple(p.reason for p in known),
        _weights([p.reference.weight for p in known]),
    )


def patient_items(patients: Sequence[PatientPair]) -> Items:
    """Patients whose reference grade is known. The lake has no patient probability of grade 3."""
    known = [p for p in patients if p.reference_grade is not None]
    return Items(
        "patient",
        _grades([p.reference_grade for p in known]),
        _grades([p.grade for p in known]),
        {1: _floats([p.fracture_probability for p in known]), 2: _floats([p.grade2_probability for p in known])},
        tuple(p.patient_key for p in known),
        tuple(p.reason for p in known),
        _weights([p.weight for p in known]),
    )


def scenario(items: Items, target: int, analysis: Analysis) -> Scenario:
    """What an analysis compares at one target. scored: items whose score may be used for curves and areas."""
    evaluable = items.evaluable
    used = items.subset(evaluable) if analysis == "per_protocol" else items
    truth, call = used.reference >= target, used.grade >= target
    score = items.probability.get(target)
    values = np.full(used.reference.size, np.nan) if score is None else used.probability[target]
    absent = ~used.evaluable
    if analysis == "worst_case":
        call = np.where(absent, ~truth, call)
    if analysis == "intention_to_screen":
        values = np.where(absent, NEVER, values)
    return Scenario(
        truth=truth,
        call=np.asarray(call, dtype=np.bool_),
        score=values,
        scored=np.asarray(np.isfinite(values)),
        clusters=used.cluster_argument,
        unevaluable=int((~evaluable).sum()),
        weights=used.weights,
    )


def _grades(values: Sequence[int | None]) -> Int:
    return np.array([-1 if v is None else v for v in values], dtype=np.int64)


def _floats(values: Sequence[Any]) -> Float:
    return np.array([np.nan if v is None else float(v) for v in values], dtype=np.float64)


def _weights(values: Sequence[float | None]) -> Float | None:
    """Null where not all are known: a sample of which a part has no weight stands for nothing."""
    return None if not values or any(v is None for v in values) else _floats(values)
