"""Readings: parsed whole or refused with the field that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training import columns
from vfscreen.schema.names import KEYPOINTS
from vfscreen.training.readings import load_reading


def entry() -> dict[str, Any]:
    return {
        "volume": "x",
        "centreline_lps_mm": [[2.0, 9.0, 160.0], [2.0, 9.0, -20.0]],
        "vertebrae": [
            {"level": v.level, "confidence": 0.8}
            | {name: list(map(float, p)) for name, p in zip(KEYPOINTS, v.keypoints_lps_mm, strict=True)}
            for v in reversed(columns.vertebrae())
        ],
    }


def write(tmp_path: Path, content: dict[str, Any]) -> Path:
    path = tmp_path / "case_six_points.json"
    path.write_text(json.dumps(content))
    return path


def test_vertebrae_come_superior_first_with_their_heights(tmp_path: Path) -> None:
    reading = load_reading(write(tmp_path, entry()))
    assert reading.name == "case"
    assert [v.level for v in reading.vertebrae] == list(columns.LEVEL_NAMES)
    np.testing.assert_allclose(reading.vertebrae[0].heights_mm, columns.HEIGHT)


def test_the_rough_centreline_is_moved_onto_the_bodies(tmp_path: Path) -> None:
    line = load_reading(write(tmp_path, entry())).centreline()
    spl = line.from_lps(columns.centres())
    assert np.abs(spl[:, 1:]).max() < 0.5, "the rough line runs 4 mm behind the bodies"
    assert line.length_mm > 170, "and keeps its length beyond them"


@pytest.mark.parametrize("change", [{"level": "X9"}, {"confidence": 1.5}, {"anterior_superior": [1.0, 2.0]}])
def test_a_wrong_field_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    content = entry()
    content["vertebrae"][0] |= change
    with pytest.raises(ValueError, match=next(iter(change))):
        load_reading(write(tmp_path, content))


def test_shared_readings_load_with_heights_as_noted(shared_data: Path) -> None:
    paths = sorted((shared_data / "ct").glob("*_six_points.json"))
    assert len(paths) >= 9
    for path in paths:
        noted = {v["level"]: v["heights_mm"] for v in json.loads(path.read_text())["vertebrae"]}
        for vertebra in load_reading(path).vertebrae:
            expected = [noted[vertebra.level][part] for part in ("anterior", "middle", "posterior")]
            np.testing.assert_allclose(vertebra.heights_mm, expected, rtol=0.012)
