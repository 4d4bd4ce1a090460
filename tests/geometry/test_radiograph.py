"""A radiograph says what it knows and refuses what contradicts itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vfscreen.geometry.radiograph import Radiograph, to_xy
from vfscreen.schema.names import SpacingSource

IMAGE, INSIDE = np.zeros((3, 4), np.float32), np.ones((3, 4), np.bool_)


@pytest.mark.parametrize(
    ("source", "spacing"), [(SpacingSource.CALIBRATED, (0.2, 0.1)), (SpacingSource.DETECTOR, None)]
)
def test_millimetres_are_the_patients_only_where_calibrated(source: SpacingSource, spacing: Any) -> None:
    film = Radiograph(IMAGE, INSIDE, (0.2, 0.1), source)
    assert film.patient_spacing_mm == spacing and film.height_calibrated == (spacing is not None)
    assert film.shape == (3, 4)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ((IMAGE.astype(np.float64), INSIDE), "float64"),
        ((IMAGE[0], INSIDE[0]), "shape"),
        ((IMAGE, INSIDE[:, :2]), "inside"),
        ((IMAGE, INSIDE.astype(np.uint8)), "uint8"),
        ((IMAGE, INSIDE, (0.1, 0.1), None), "together"),
        ((IMAGE, INSIDE, None, SpacingSource.DETECTOR), "together"),
        ((IMAGE, INSIDE, (0.0, 0.1), SpacingSource.DETECTOR), "no distance"),
    ],
)
def test_contradictions_are_refused(values: tuple[Any, ...], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Radiograph(*values)


def test_points_of_tables_are_column_before_row() -> None:
    assert to_xy(np.array([[10.5, 2.0], [0.0, 7.0]])) == [[2.0, 10.5], [7.0, 0.0]]
