"""Which vertebrae the fresh-fracture classifier is asked about, and what it is shown of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.radiograph import Radiograph
from vfscreen.screening.film_fresh import with_fresh
from vfscreen.screening.film_result import FilmVertebra
from vfscreen.settings import load_settings
from vfscreen.spine.film_crop import CropSpec

BODY = np.array([[-15, -20], [15, -20], [-13, 0], [13, 0], [-15, 20], [15, 20]], dtype=np.float64)


class MeanClassifier:
    """Says the mean of what it sees, and keeps count."""

    crop_spec = CropSpec(pixels=32, body_depths=1.0)

    def __init__(self) -> None:
        self.seen: list[int] = []

    def read(self, crops: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
        assert crops.shape == inside.shape == (len(crops), 32, 32)
        self.seen.append(len(crops))
        return crops.mean(axis=(1, 2)).astype(np.float64)


def vertebra(row: float, grade: int | None) -> FilmVertebra:
    points = None if grade is None else BODY + np.array([row, 60.0])
    return FilmVertebra(
        vertebra_level="L1",
        level_probability=1.0,
        level_certain=False,
        truncated=grade is None,
        detection_probability=0.9,
        centre_px=np.array([row, 60.0]),
        keypoints_px=points,
        keypoint_sd_px=None,
        heights_px=None,
        height_sd_px=None,
        keypoint_sd_mm=None,
        heights_mm=None,
        height_sd_mm=None,
        height_loss_ratio_raw=None,
        height_loss_ratio_adjusted=None,
        genant_grade_raw=grade,
        genant_grade=grade,
        deformity_type=None,
        fracture_probability=None,
        grade2_probability=None,
        grade3_probability=None,
        fracture_score=0.0,
        reason=None,
    )


def film() -> Radiograph:
    image = np.zeros((200, 120), dtype=np.float32)
    image[100:] = 1.0
    return Radiograph(image, np.ones(image.shape, dtype=np.bool_))


def test_only_fractured_vertebrae_are_read_and_each_on_its_own_crop() -> None:
    classifier = MeanClassifier()
    column = [vertebra(40.0, 0), vertebra(60.0, 1), vertebra(150.0, 3), vertebra(100.0, None)]
    found = with_fresh(column, film(), classifier)
    assert classifier.seen == [2]
    assert [v.fresh_probability for v in found] == [None, 0.0, 1.0, None]


def test_without_a_classifier_or_a_fracture_nothing_changes() -> None:
    column = (vertebra(60.0, 2), vertebra(150.0, 0))
    assert with_fresh(column, film(), None) == column
    classifier = MeanClassifier()
    assert with_fresh(column[1:], film(), classifier) == column[1:]
    assert classifier.seen == []


def test_it_is_off_unless_a_site_switches_it_on() -> None:
    assert not load_settings().screening.fresh_fracture.enabled
