"""Whether what a release says of its own certainty holds: coverage of intervals, probabilities against what was so.

Belongs here: rows of the table and points of the plot for uncertainty. Does not belong here: accuracy (model_table),
fitting a calibration (vertebra_evaluate), drawing (report.reliability).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.evaluation.calibration import ReliabilityBin, reliability
from vfscreen.morphometry.genant import MODERATE_LOSS, raw_height_loss
from vfscreen.morphometry.probability import GradeCalibration, probability_of_any
from vfscreen.training.model_table import TargetRow, share_row, value_row
from vfscreen.training.vertebra_evaluate import Number, VolumeResult, auc, bootstrap_number, coverage, probabilities

Float = NDArray[np.float64]

BINS = 10


@dataclass(frozen=True)
class Curve:
    """Stated probabilities of one thing against how often it was so, in bins of equal width."""

    name: str
    bins: tuple[ReliabilityBin, ...]


def certainty_numbers(results: Sequence[VolumeResult], calibration: GradeCalibration) -> list[Number]:
    """Shares of points and heights within their stated 68 and 95 % regions, and the Brier scores of the calibrated
    probabilities. results: one a patient, for the patients' score."""
    numbers = coverage(results)
    for name, stated, true in _stated(results, calibration):
        numbers.append(bootstrap_number(f"Brier score, {name}", (stated - true) ** 2, np.mean, ""))
    return numbers


def certainty_rows(group: str, results: Sequence[VolumeResult], calibration: GradeCalibration) -> list[TargetRow]:
    """`certainty_numbers` as rows of the table."""
    return [TargetRow(group, n.name, n.value, n.unit, n.n, n.ci95) for n in certainty_numbers(results, calibration)]


def probability_rows(group: str, results: Sequence[VolumeResult], calibration: GradeCalibration) -> list[TargetRow]:
    """How well a release's own score, the stated probability, tells who has lost height: unlike the measured loss it
    knows where an endplate was not seen."""
    before, true = probabilities(results)
    stated = calibration.apply(before)
    called, deep = stated[:, 1] >= 0.5, true[:, 1] > 0.5
    any_pairs, deep_pairs = (np.stack([stated[:, k], true[:, k]], axis=1) for k in (0, 1))
    rule = "for grade >= 2, probability >= 0.5"
    return [
        value_row(
            group, "ROC AUC, grade >= 2, by its probability", deep_pairs, auc, "", ">= 0.98", lambda v: v >= 0.98
        ),
        value_row(group, "ROC AUC, any grade, by its probability", any_pairs, auc, "", ">= 0.93", lambda v: v >= 0.93),
        share_row(
            group, f"sensitivity {rule}", int((called & deep).sum()), int(deep.sum()), ">= 0.92", lambda v: v >= 0.92
        ),
        share_row(
            group,
            f"specificity {rule}",
            int((~called & ~deep).sum()),
            int((~deep).sum()),
            ">= 0.95",
            lambda v: v >= 0.95,
        ),
    ]


def reliability_curves(results: Sequence[VolumeResult], calibration: GradeCalibration) -> list[Curve]:
    """One curve a grade, and one of the patients' score."""
    return [
        Curve(name, tuple(reliability(true > 0.5, stated, BINS)))
        for name, stated, true in _stated(results, calibration)
    ]


def _stated(results: Sequence[VolumeResult], calibration: GradeCalibration) -> list[tuple[str, Float, Float]]:
    """(name, stated probability, 1 where it was so) of vertebrae by grade and of patients."""
    before, true = probabilities(results)
    if not len(before):
        return []
    stated = calibration.apply(before)
    found = [(f"P(grade >= {g + 1})", stated[:, g], true[:, g]) for g in range(3)]
    patients = [(_patient_score(r, calibration), _is_fractured(r)) for r in results]
    known = np.array([(p, y) for p, y in patients if p is not None], dtype=np.float64).reshape(-1, 2)
    return [*found, ("P(a vertebra of grade >= 2 in the patient)", known[:, 0], known[:, 1])]


def _patient_score(result: VolumeResult, calibration: GradeCalibration) -> float | None:
    return probability_of_any(float(p) for p in calibration.apply(probabilities([result])[0])[:, 1])


def _is_fractured(result: VolumeResult) -> bool:
    """Missed vertebrae count: the patient has them."""
    return any(float(raw_height_loss(m.truth.heights_mm)) >= MODERATE_LOSS for m in result.matches)
