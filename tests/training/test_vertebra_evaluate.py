"""Measuring: a detector that is off by a known amount is measured to be off by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from tests.training import columns
from vfscreen.models.ports import Detection
from vfscreen.schema.names import LEVELS
from vfscreen.spine.straighten import SlabSpec, straighten
from vfscreen.training.readings import ReadVertebra
from vfscreen.training.vertebra_evaluate import (
    Number,
    VolumeResult,
    evaluate_volume,
    fit_calibration,
    probabilities,
    sd_scale,
    summarise,
)


class Known:
    """Answers with given points instead of looking."""

    def __init__(self, answers: list[ReadVertebra], sd_mm: float = 1.0) -> None:
        self._answers = answers
        self._sd = sd_mm

    @property
    def slab_spec(self) -> SlabSpec:
        return SlabSpec()

    def detect(self, hu: NDArray[np.float32]) -> list[Detection]:
        slab = straighten(columns.ct(), columns.centreline(), SlabSpec())
        found = []
        for answer in self._answers:
            points = slab.from_lps(answer.keypoints_lps_mm)[:, :2]
            sd = np.full((6, 2), self._sd)
            found.append(Detection(0.9, points.mean(axis=0), points, sd, np.zeros(len(LEVELS)), 0.1))
        return found


def result_of(answers: list[ReadVertebra], sd_mm: float = 1.0) -> VolumeResult:
    return evaluate_volume("x", columns.ct(), columns.centreline(), columns.vertebrae(), Known(answers, sd_mm))


def value(numbers: list[Number], start: str) -> float:
    return next(n.value for n in numbers if n.name.startswith(start))


def shifted(vertebra: ReadVertebra, up_mm: float) -> ReadVertebra:
    return replace(vertebra, keypoints_lps_mm=vertebra.keypoints_lps_mm + np.array([0.0, 0.0, up_mm]))


def test_the_truth_is_measured_as_perfect() -> None:
    numbers = summarise([result_of(list(columns.vertebrae()))])
    assert value(numbers, "recall") == value(numbers, "precision") == 1.0
    assert value(numbers, "key point distance, median") < 0.05
    assert value(numbers, "heights, mean absolute error") < 0.1


def test_a_shift_a_miss_and_an_extra_are_each_counted() -> None:
    truth = list(columns.vertebrae())
    between = shifted(truth[1], -(columns.HEIGHT + columns.DISC) / 2)
    numbers = summarise([result_of([shifted(truth[0], 2.0), between, truth[2], truth[3]])])
    assert value(numbers, "recall") == pytest.approx(3 / 4)
    assert value(numbers, "precision") == pytest.approx(3 / 4)
    result = result_of([shifted(t, 2.0) for t in truth])
    assert value(summarise([result]), "key point distance, median") == pytest.approx(2.0, abs=0.05)


def test_heights_pulled_together_show_as_bias() -> None:
    def flatten(vertebra: ReadVertebra) -> ReadVertebra:
        points = vertebra.keypoints_lps_mm.copy()
        points[0, 2] -= 0.3 * columns.HEIGHT
        return replace(vertebra, keypoints_lps_mm=points)

    truth = [flatten(v) for v in columns.vertebrae()]
    result = evaluate_volume("x", columns.ct(), columns.centreline(), truth, Known(list(columns.vertebrae())))
    numbers = summarise([result])
    assert value(numbers, "height loss where true loss >= 0.25, bias") == pytest.approx(-30.0, abs=1.0)
    assert value(numbers, "sensitivity") == 0.0


def test_detections_beyond_the_reading_and_cut_ones_count_neither_way() -> None:
    truth = list(columns.vertebrae())
    result = evaluate_volume("x", columns.ct(), columns.centreline(), truth[1:3], Known(truth))
    assert result.extra_scores == ()


def test_low_confidence_readings_do_not_enter_heights() -> None:
    doubtful = [replace(v, confidence=0.3) for v in columns.vertebrae()]
    result = evaluate_volume("x", columns.ct(), columns.centreline(), doubtful, Known(doubtful))
    assert next(n.n for n in summarise([result]) if n.name == "recall") == 0


def test_sd_scale_makes_errors_and_variances_agree() -> None:
    result = result_of([shifted(v, 2.0) for v in columns.vertebrae()], sd_mm=0.5)
    fitted = sd_scale([result], current=1.0)
    # an error of 2 mm against a variance of 2 * 0.5^2
    assert fitted == pytest.approx(2.0 / np.sqrt(2 * 0.5**2), rel=0.05)


def test_a_fitted_calibration_undoes_what_was_done_to_true_probabilities() -> None:
    rng = np.random.default_rng(0)
    odds = rng.normal(-1, 2, (4000, 1)) + np.array([1.0, 0.0, -1.0])
    outcome = (rng.random((4000, 3)) < expit(odds)).astype(float)
    fitted = fit_calibration(expit(1.5 * odds + 1.0), outcome)
    np.testing.assert_allclose(fitted.slope, 1 / 1.5, atol=0.08)
    np.testing.assert_allclose(fitted.offset, -1 / 1.5, atol=0.15)
    few = fit_calibration(np.array([[0.5, 0.5, 0.5]]), np.array([[1.0, 1.0, 1.0]]))
    assert max(np.abs(few.offset)) < 0.6  # one vertebra proves little


def test_stated_uncertainty_is_counted_against_errors() -> None:
    truth = list(columns.vertebrae())
    numbers = summarise([result_of([shifted(v, 2.0) for v in truth])])  # two of the stated standard deviations
    assert value(numbers, "key points within their 68 % region") == 0.0
    assert value(numbers, "key points within their 95 % region") == 1.0
    assert value(numbers, "heights within their 68 % interval") == 1.0  # shifted bodies are as high
    stated, true = probabilities([result_of(truth)])
    assert stated.shape == true.shape == (4, 3)
    assert (stated < 0.3).all() and not true.any()
