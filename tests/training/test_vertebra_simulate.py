"""Simulated fractures: the truth is what the warp made, and a detector that knows it is measured as right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.training import columns
from vfscreen.models.ports import Detection
from vfscreen.schema.names import LEVELS
from vfscreen.spine.straighten import SlabSpec
from vfscreen.training.slab_cases import make_case
from vfscreen.training.vertebra_data import ROWS, draw_sample
from vfscreen.training.vertebra_evaluate import summarise
from vfscreen.training.vertebra_simulate import FINE, SIMULATION, simulated_result

CASE = make_case("c", columns.ct(), columns.centreline(), columns.vertebrae(), True, True, [0, 0, 0, 0])


class Oracle:
    """Knows the windows that it is shown: they are drawn by seed."""

    slab_spec = SlabSpec()

    def __init__(self, shift_px: float = 0.0) -> None:
        self._shown = 0
        self._shift = shift_px

    def detect(self, hu: NDArray[np.float32]) -> list[Detection]:
        sample = draw_sample(CASE, FINE, SIMULATION, np.random.default_rng([91, 0, self._shown]), rows=2 * ROWS)
        self._shown += 1
        np.testing.assert_allclose(hu[2], sample.hu[6, ::2, ::2][: hu.shape[1]], atol=0.51)
        shown = sample.points[sample.weight > 0].astype(np.float64) * FINE.pixel_mm
        points = [p + self._shift for p in shown]
        return [Detection(0.9, p.mean(axis=0), p, np.ones((6, 2)), np.zeros(len(LEVELS)), 0.0) for p in points]


def test_the_truth_scores_perfectly_and_there_are_fractures_to_score() -> None:
    numbers = {n.name: n for n in summarise([simulated_result(CASE, Oracle(), 16)])}
    assert numbers["recall"].value == 1.0
    assert numbers["height loss where true loss >= 0.25, bias"].n >= 3
    assert abs(numbers["height loss where true loss >= 0.25, bias"].value) < 1e-3
    assert numbers["ROC AUC of the measured raw loss for true loss >= 0.25"].value == 1.0


def test_a_shift_is_measured_in_mm() -> None:
    numbers = {n.name: n.value for n in summarise([simulated_result(CASE, Oracle(shift_px=1.0), 3)])}
    np.testing.assert_allclose(numbers["key point distance, median"], np.sqrt(2.0), atol=1e-3)
