"""Masks of shutters and collimators count pixels from 1; plain edges are cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from vfscreen.ingest.film_shutters import plain_edges, shutter_mask

SHAPE = (50, 60)


def of(**values: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def rectangle(kind: str, left: int, right: int, upper: int, lower: int) -> dict[str, Any]:
    return {
        f"{kind}Shape": "RECTANGULAR",
        f"{kind}LeftVerticalEdge": left,
        f"{kind}RightVerticalEdge": right,
        f"{kind}UpperHorizontalEdge": upper,
        f"{kind}LowerHorizontalEdge": lower,
    }


def test_without_shutter_nothing_is_hidden() -> None:
    assert shutter_mask(Dataset(), SHAPE) == (None, [])


@pytest.mark.parametrize("kind", ["Shutter", "Collimator"])
def test_rectangle(kind: str) -> None:
    mask, remarks = shutter_mask(of(**rectangle(kind, 5, 50, 3, 40)), SHAPE)
    expected = np.zeros(SHAPE, bool)
    expected[2:40, 4:50] = True
    assert np.array_equal(mask, expected) and remarks == []


def test_a_rectangle_beyond_the_picture_hides_nothing() -> None:
    mask, _ = shutter_mask(of(**rectangle("Shutter", -5, 500, 0, 400)), SHAPE)
    assert mask is not None and mask.all()


@pytest.mark.parametrize(("spacing", "half_rows"), [(None, 15), (["0.1", "0.1"], 15), (["0.3", "0.1"], 5)])
def test_circle(spacing: list[str] | None, half_rows: int) -> None:
    circle = {"CenterOfCircularShutter": [25, 30], "RadiusOfCircularShutter": 15, "ShutterShape": "CIRCULAR"}
    mask, _ = shutter_mask(of(**circle, **({} if spacing is None else {"ImagerPixelSpacing": spacing})), SHAPE)
    assert mask is not None
    rows, columns = np.nonzero(mask)
    assert (rows.min(), rows.max()) == (24 - half_rows, 24 + half_rows)
    assert (columns.min(), columns.max()) == (14, 44)
    assert mask.mean() == pytest.approx(np.pi * 15 * half_rows / mask.size, rel=0.08)


def test_polygon_and_rectangle_hide_together() -> None:
    polygon = {"VerticesOfThePolygonalShutter": [1, 1, 1, 60, 50, 60]}
    values = rectangle("Shutter", 1, 40, 1, 50) | polygon | {"ShutterShape": ["RECTANGULAR", "POLYGONAL"]}
    mask, remarks = shutter_mask(of(**values), SHAPE)
    assert mask is not None and remarks == []
    rows, columns = np.mgrid[:50, :60]
    above = rows / 49 <= columns / 59
    assert (mask == (above & (columns < 40))).mean() > 0.98
    assert mask[0, 0] and not mask[49, 0] and not mask[0, 45]


def test_a_shutter_that_hides_everything_is_not_applied() -> None:
    mask, remarks = shutter_mask(of(**rectangle("Shutter", 40, 10, 1, 50)), SHAPE)
    assert mask is None and "would hide the film" in remarks[0]


def test_shutter_and_collimator_that_exclude_each_other() -> None:
    values = rectangle("Shutter", 1, 30, 1, 50) | rectangle("Collimator", 31, 60, 1, 50)
    mask, remarks = shutter_mask(of(**values), SHAPE)
    assert mask is not None and mask[:, :30].all() and not mask[:, 30:].any()
    assert len(remarks) == 1


def test_plain_edges_are_cut_to_a_rectangle() -> None:
    picture = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    assert plain_edges(picture) is None
    picture[:4], picture[:, 55:] = 0, 9
    picture[:4, 55:] = 9
    mask = plain_edges(picture)
    expected = np.zeros(SHAPE, bool)
    expected[4:, :55] = True
    assert np.array_equal(mask, expected)


def test_noise_of_compression_is_plain_within_the_tolerance() -> None:
    picture = np.random.default_rng(0).normal(0, 50, SHAPE).astype(np.float32)
    picture[:6] = np.random.default_rng(1).uniform(0, 2, (6, 60))
    assert plain_edges(picture) is None
    mask = plain_edges(picture, 2.0)
    assert mask is not None and not mask[:6].any() and mask[6:].all()


def test_a_picture_without_content_has_no_edges() -> None:
    assert plain_edges(np.zeros(SHAPE, np.float32)) is None
