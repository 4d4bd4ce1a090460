"""Samples: points stay on the tissue they name through every deformation, masks say what is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training import columns
from vfscreen.models.networks2d import STRIDE
from vfscreen.spine.straighten import SlabSpec
from vfscreen.training.slab_cases import CASE_SPEC, SlabCase, make_case
from vfscreen.training.vertebra_data import Sample, SampleSettings, draw_sample

SPEC = SlabSpec()
CALM = SampleSettings(fracture_share=0.0, shape_share=0.0, crop_share=0.0, hard=0.0)


@pytest.fixture(scope="module")
def case() -> SlabCase:
    return make_case("c", columns.ct(), columns.centreline(), columns.vertebrae(), True, True, [0, 0, 0, 0])


def marked(case: SlabCase, size_mm: float = 2.0) -> SlabCase:
    """The case with a bright ball at each point instead of anatomy."""
    _, rows, cols = case.hu.shape
    row = (np.arange(rows) * CASE_SPEC.pixel_mm)[:, None]
    p = (np.arange(cols) * CASE_SPEC.pixel_mm - CASE_SPEC.anterior_mm)[None]
    image = np.zeros((rows, cols))
    for r, q in case.points.reshape(-1, 2):
        image = np.maximum(image, 1000 * np.exp(-((row - r) ** 2 + (p - q) ** 2) / (2 * size_mm**2)))
    return replace(case, hu=np.broadcast_to(image.astype(np.int16), case.hu.shape).copy())


def bright_spot_near(sample: Sample, point: np.ndarray) -> np.ndarray:
    r, c = np.rint(point).astype(int)
    patch = sample.hu[2, r - 3 : r + 4, c - 3 : c + 4].astype(float) ** 4
    axis = np.arange(-3, 4)
    mean = np.array([patch.sum(1) @ axis, patch.sum(0) @ axis]) / patch.sum()
    return np.asarray(np.array([r, c]) + mean)


@pytest.mark.parametrize("fracture_share", [0.0, 1.0])
def test_points_follow_the_tissue(case: SlabCase, fracture_share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vfscreen.training.vertebra_data.degrade", lambda hu, *_: hu)
    settings = SampleSettings(fracture_share=fracture_share, shape_share=0.0, crop_share=0.0, hard=1.0)
    markers = marked(case)
    checked, errors = 0, []
    for seed in range(12):
        sample = draw_sample(markers, SPEC, settings, np.random.default_rng(seed))
        height, width = sample.hu.shape[1:]
        for points in sample.points[sample.weight > 0]:
            for point in points:
                if (point > 6).all() and point[0] < height - 6 and point[1] < width - 6:
                    errors.append(np.abs(bright_spot_near(sample, point) - point).max())
                    checked += 1
    assert checked > 60
    # a warp squeezes the ball, so its middle is not exactly the point
    assert np.median(errors) < (0.2 if fracture_share == 0 else 0.6)


def test_fracture_target_follows_the_height_that_was_lost(case: SlabCase) -> None:
    calm = draw_sample(case, SPEC, CALM, np.random.default_rng(0))
    assert (calm.fracture[calm.weight > 0] == 0).all()
    hard = replace(CALM, fracture_share=1.0)
    targets = [
        s.fracture[s.weight > 0] for s in (draw_sample(case, SPEC, hard, np.random.default_rng(n)) for n in range(8))
    ]
    assert np.concatenate(targets).max() == 1.0


def test_a_reading_with_gaps_teaches_no_absence_there(case: SlabCase) -> None:
    second = case.points[1]
    known = replace(case, known_mm=(float(second[:, 0].min()), float(case.points[2][:, 0].max())))
    known = replace(known, points=case.points[1:3], levels=case.levels[1:3], confidence=case.confidence[1:3])
    known = replace(known, fractured=case.fractured[1:3])
    sample = draw_sample(known, SPEC, CALM, np.random.default_rng(4))
    full = draw_sample(case, SPEC, CALM, np.random.default_rng(4))
    assert full.judged.all()
    assert 0.2 < sample.judged.mean() < 0.9


def test_a_cut_vertebra_is_taught_whole_or_not_at_all(case: SlabCase) -> None:
    settings = replace(CALM, crop_share=1.0)
    seen_outside = 0
    for seed in range(30):
        sample = draw_sample(case, SPEC, settings, np.random.default_rng(seed))
        air_rows = np.nonzero((sample.hu[2] < -1000).all(axis=1))[0]
        if not air_rows.size:
            continue
        inside = (sample.hu[2] > -1000).any(axis=1)
        for v in np.nonzero(sample.weight > 0)[0]:
            rows = sample.points[v, :, 0]
            centre = int(np.clip(rows.mean(), 0, inside.size - 1))
            assert inside[centre] or not sample.judged[centre // STRIDE].all()
            seen_outside += int((rows < 0).any() or not inside[np.clip(rows.astype(int), 0, inside.size - 1)].all())
    assert seen_outside > 0, "points beyond the edge are what marks a vertebra as truncated"


def test_the_seed_fixes_the_sample(case: SlabCase) -> None:
    one, same = (draw_sample(case, SPEC, SampleSettings(), np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.hu, same.hu)
    np.testing.assert_array_equal(one.points, same.points)
