"""Uncertainty that was stated rightly shows as right, and an overconfident chain as overconfident."""

from __future__ import annotations

import numpy as np
import pytest

from vfscreen.morphometry.probability import GradeCalibration
from vfscreen.training.model_calibration import certainty_numbers, probability_rows, reliability_curves
from vfscreen.training.model_table import deep_rows
from vfscreen.training.readings import ReadVertebra
from vfscreen.training.vertebra_evaluate import Match, VolumeResult

SD_MM = 0.8


def body(heights: np.ndarray) -> np.ndarray:
    return np.array([(0.0, y, s * h / 2) for y, h in zip((-15, 0, 15), heights, strict=True) for s in (1, -1)])


def patients(count: int, stated_sd_mm: float, seed: int = 0) -> list[VolumeResult]:
    """Patients of three vertebrae, one in two with a fracture; every point is off by SD_MM along both of its axes."""
    rng = np.random.default_rng(seed)
    results = []
    for n in range(count):
        matches = []
        for v in range(3):
            loss = rng.uniform(0.3, 0.5) if n % 2 and v == 0 else rng.uniform(0.0, 0.1)
            true = body(np.array([24.0 * (1 - loss), 24.0, 24.0]))
            seen = true + np.concatenate([np.zeros((6, 1)), rng.normal(0, SD_MM, (6, 2))], axis=1)
            sd = np.full((6, 2), stated_sd_mm)
            matches.append(Match(f"p{n}", ReadVertebra(None, False, 1.0, true), seen, sd, 0.5, None))
        results.append(VolumeResult(f"p{n}", tuple(matches), ()))
    return results


def numbers(results: list[VolumeResult]) -> dict[str, float]:
    return {n.name: n.value for n in certainty_numbers(results, GradeCalibration())}


def test_intervals_cover_what_they_say_or_less_where_the_chain_is_too_sure() -> None:
    right, bold = numbers(patients(60, SD_MM)), numbers(patients(60, SD_MM / 3))
    for kind in ("key points within their {} % region", "heights within their {} % interval"):
        for share in (68, 95):
            name = kind.format(share)
            assert right[name] == pytest.approx(share / 100, abs=0.06)
            assert bold[name] < right[name] - 0.2


def test_a_patient_is_fractured_if_one_vertebra_is() -> None:
    curves = {c.name: c.bins for c in reliability_curves(patients(40, SD_MM), GradeCalibration())}
    assert sum(b.n for b in curves["P(grade >= 2)"]) == 120
    score = curves["P(a vertebra of grade >= 2 in the patient)"]
    assert sum(b.n for b in score) == 40 and sum(b.positives for b in score) == 20
    assert score[-1].n >= 18 and score[-1].observed == 1.0


def test_a_vertebra_that_was_missed_makes_its_patient_no_less_fractured() -> None:
    found = patients(2, SD_MM)[1]
    lost = tuple(Match(m.volume, m.truth, None, None, None, None) if v == 0 else m for v, m in enumerate(found.matches))
    curves = reliability_curves([VolumeResult("p", lost, ())], GradeCalibration())
    assert sum(b.positives for b in curves[-1].bins) == 1
    assert sum(b.n for b in curves[0].bins) == 2


def test_nothing_found_says_nothing() -> None:
    assert reliability_curves([VolumeResult("p", (), ())], GradeCalibration()) == []
    assert certainty_numbers([VolumeResult("p", (), ())], GradeCalibration()) == []


def test_a_loss_measured_where_nothing_was_seen_counts_for_less_by_its_probability() -> None:
    """Sound bodies that look fractured, with the doubt stated, between fractured ones that were seen well."""
    true, sound, wide = body(np.array([17.0, 24.0, 24.0])), body(np.array([24.0] * 3)), np.full((6, 2), 6.0)
    seen = Match("p", ReadVertebra(None, False, 1.0, true), true, np.full((6, 2), 0.3), 0.5, None)
    guessed = body(np.array([16.0, 24.0, 24.0]))
    unseen = Match("p", ReadVertebra(None, False, 1.0, sound), guessed, wide, 0.5, None)
    rows = {r.name: r for r in probability_rows("g", [VolumeResult("p", (seen, unseen) * 3, ())], GradeCalibration())}
    assert rows["ROC AUC, grade >= 2, by its probability"].value == 1.0
    assert rows["sensitivity for grade >= 2, probability >= 0.5"].value == 1.0
    by_loss = {r.name: r for r in deep_rows("g", [VolumeResult("p", (seen, unseen) * 3, ())])}
    assert by_loss["ROC AUC, grade >= 2, by its loss"].value == 0.0
