"""Counting levels that are right, and whether certainty and probability keep their word."""

from __future__ import annotations

import numpy as np
import pytest

from tests.screening.beads import affine_around, make_patient, oracle_models, render
from vfscreen.settings import ScreeningSettings
from vfscreen.training.level_evaluate import NamedColumn, name_column, summarise_levels


def column(truth: str, named: str, probability: float, certain: bool) -> NamedColumn:
    levels = tuple(truth.split())
    n = len(levels)
    found = tuple(None if level == "-" else level for level in named.split())
    return NamedColumn("c", "g", levels, found, np.full(n, probability), np.full(n, certain))


def test_a_known_patient_is_named_rightly() -> None:
    patient = make_patient()

    def truth(centres: np.ndarray) -> list[str | None]:
        nearest = np.linalg.norm(centres[:, None] - patient.centres[None], axis=2).argmin(axis=1)
        return [patient.levels[i] if patient.levels[i] != "T10" else None for i in nearest]

    models, volume = oracle_models(patient), render(patient, *affine_around(patient))
    named = name_column("beads", "oracle", volume, truth, models, ScreeningSettings())
    assert named.truth == named.named == patient.levels[1:], "what is of unknown level is left out"
    assert named.right.all() and named.certain.all() and named.consecutive


def test_consecutive_past_missed_vertebrae_and_variants() -> None:
    assert column("T11 T12 L1", "T11 T12 L1", 1, True).consecutive
    assert column("T11 T12 L1", "T10 T12 L1", 1, True).consecutive, "one missed in between"
    assert column("T11 L1 L2", "T12 T13 L1", 1, True).consecutive
    assert not column("T11 T12 L1", "T12 T11 L1", 1, True).consecutive
    assert not column("T11 T12 L1", "T12 T12 L1", 1, True).consecutive


def test_the_summary_counts_vertebrae_columns_and_reliability() -> None:
    good = column("T12 L1 L2 L3", "T12 L1 L2 L3", 0.95, True)
    bad = column("T12 L1", "L1 L2", 0.6, False)
    numbers = {n.name: n for n in summarise_levels([good, bad])}
    assert numbers["levels right"].value == pytest.approx(4 / 6)
    assert numbers["levels right"].n == 6
    low, high = numbers["levels right"].ci95 or (1, 0)
    assert low < 4 / 6 < high
    assert numbers["columns wholly right"].value == 0.5
    assert (numbers["right where certain"].value, numbers["right where not certain"].value) == (1.0, 0.0)
    assert numbers["right where probability is 0.9 to 0.99"].n == 4
    assert numbers["right where probability is 0.5 to 0.8"].value == 0.0
    expected = (4 * 0.95 + 2 * 0.6) / 6 - 4 / 6
    assert numbers["mean probability less share right"].value == pytest.approx(expected)
    assert summarise_levels([]) == []
