"""Corner readings come in as they were written, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vfscreen.training.film_readings import load_film_readings


def written(folder: Path, points: dict[str, list[float]]) -> Path:
    path = folder / "corners.json"
    path.write_text(json.dumps([{"film": "a.jpg", "width": 100, "height": 200, "points_xy_px": points}]))
    return path


def test_corners_have_their_places(tmp_path: Path) -> None:
    points = {
        "L1TF": [60, 10],
        "L1BF": [61, 40],
        "L1TB": [20, 12],
        "L1BB": [21, 38],
        "T12BB": [19, 8],
        "T12BF": [58, 6],
    }
    (film,) = load_film_readings(written(tmp_path, points))
    assert (film.film, film.width, film.height) == ("a.jpg", 100, 200)
    t12, l1 = film.bodies
    assert (t12.level, t12.whole, l1.level, l1.whole) == ("T12", False, "L1", True)
    np.testing.assert_array_equal(l1.corners_px, [[10, 60], [40, 61], [12, 20], [38, 21]])
    assert l1.heights_px == pytest.approx([np.hypot(30, 1), np.hypot(26, 1)])


@pytest.mark.parametrize("points", [{"L9TF": [1, 2]}, {"L1": [1, 2]}, {"L1TF": [1]}])
def test_what_is_no_corner_is_refused(tmp_path: Path, points: dict[str, list[float]]) -> None:
    with pytest.raises(ValueError, match=r"corners\.json"):
        load_film_readings(written(tmp_path, points))
