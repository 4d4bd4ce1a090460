"""The reliability plot is a PNG with a panel a curve, and the same numbers give the same bytes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from vfscreen.evaluation.calibration import reliability
from vfscreen.report.reliability import reliability_png


def test_a_panel_a_curve_and_points_where_they_belong() -> None:
    rng = np.random.default_rng(0)
    stated = rng.random(400)
    bins = reliability(rng.random(400) < stated, stated)
    one, two = (reliability_png([("P(grade >= 2)", bins)] * n, "synthetic") for n in (1, 2))
    sizes = [Image.open(io.BytesIO(png)).size for png in (one, two)]
    assert sizes[1][0] == pytest.approx(2 * sizes[0][0], rel=0.02) and sizes[0][1] == sizes[1][1]
    assert reliability_png([("P(grade >= 2)", bins)], "synthetic") == one
    other = reliability(rng.random(400) < stated**4, stated)
    assert reliability_png([("P(grade >= 2)", other)], "synthetic") != one


def test_empty_bins_are_left_out_and_no_curve_is_an_error() -> None:
    png = reliability_png([("sure", reliability(np.array([True, True]), np.array([0.95, 1.0])))], "two items")
    assert png.startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="no curve"):
        reliability_png([], "nothing")
