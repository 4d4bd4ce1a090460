"""Which vertebrae are judged, and what an unjudged one still says."""

from __future__ import annotations

import numpy as np
import pytest

from vfscreen.errors import ReasonCode
from vfscreen.geometry.volume import Volume
from vfscreen.schema.names import GRADED_LEVELS, LEVELS
from vfscreen.screening.measure import Found, interpret
from vfscreen.settings import ScreeningSettings

HEIGHTS = (15.0, 20.0, 25.0)
VOLUME = Volume(np.zeros((100, 60, 60), np.int16), np.diag([2.0, 2.0, 2.0, 1.0]))


def found(level: str | None) -> Found:
    """A deformed vertebra in the middle of the volume: anterior 15, middle 20, posterior 25 mm."""
    centre = np.array([60.0, 60.0, 100.0])
    keypoints = np.array(
        [
            centre + np.array([0.0, y, sign * h / 2])
            for y, h in zip((-15, 0, 15), HEIGHTS, strict=True)
            for sign in (1, -1)
        ]
    )
    return Found(
        vertebra_level=level,
        level_probability=0.9,
        level_certain=False,
        detection_probability=0.9,
        centre_lps_mm=centre,
        keypoints_lps_mm=keypoints,
        keypoint_sd_mm=np.full(6, 0.5),
        heights_mm=np.array(HEIGHTS),
        height_sd_mm=np.full(3, 0.7),
        fracture_score=0.9,
        truncated=False,
    )


@pytest.mark.parametrize("level", [level for level in LEVELS if level.startswith("C")])
def test_the_neck_is_measured_but_not_graded(level: str) -> None:
    (vertebra,), patient = interpret([found(level)], VOLUME, ScreeningSettings())
    assert vertebra.reason is ReasonCode.LEVEL_NOT_GRADED
    assert vertebra.genant_grade is None and vertebra.genant_grade_raw is None
    assert vertebra.grade2_probability is None and vertebra.height_loss_ratio_raw is None
    assert vertebra.heights_mm == pytest.approx(HEIGHTS)
    assert patient.max_genant_grade is None and patient.fracture_probability is None


@pytest.mark.parametrize("level", [*GRADED_LEVELS, None])
def test_every_other_level_is_graded_even_an_unknown_one(level: str | None) -> None:
    (vertebra,), patient = interpret([found(level)], VOLUME, ScreeningSettings())
    assert vertebra.reason is None
    assert vertebra.height_loss_ratio_raw == pytest.approx(0.4)
    assert vertebra.genant_grade_raw == 3
    assert patient.max_genant_grade == vertebra.genant_grade
