"""Samples of the film endplate network: corners lie where the picture shows them, endplates between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.film_bars import bar_case
from tests.training.test_film_samples import plain
from vfscreen.models.endplates import CORNERS
from vfscreen.spine.film_patches import FilmPatchSpec
from vfscreen.training.film_patch_samples import NEIGHBOURS, draw_patch_samples, plates_of

SPEC = FilmPatchSpec()


@pytest.mark.parametrize("seed", range(6))
def test_corners_are_those_of_the_box(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vfscreen.training.film_patch_samples.expose_window", plain)
    samples = draw_patch_samples(bar_case(), SPEC, np.random.default_rng(seed))
    assert 1 <= len(samples) <= NEIGHBOURS
    for sample in samples:
        assert sample.image.shape == (SPEC.rows, SPEC.columns) and sample.weight == 1.0
        corners = sample.corners
        assert corners[0, 1] < corners[2, 1] and corners[0, 0] < corners[1, 0], "front to the left, head up"
        centre = corners.mean(axis=0)
        seen = {}
        for share in (0.93, 1.12):
            at = np.rint(centre + share * (corners - centre)).astype(int)
            shown = ((at >= 0) & (at < SPEC.rows)).all(axis=1)
            seen[share] = sample.image[tuple(at[shown].T)].mean()
        assert seen[0.93] > seen[1.12] + 0.5, "brighter inside than outside its corners"


def test_an_exposed_case_gives_finite_samples_of_its_confidence() -> None:
    case = replace(bar_case(), confidence=np.full(9, 0.35, dtype=np.float32))
    samples = [s for seed in range(4) for s in draw_patch_samples(case, SPEC, np.random.default_rng(seed))]
    assert samples
    assert all(np.isfinite(s.image).all() and s.weight == pytest.approx(0.5) for s in samples)


def test_bodies_beyond_the_picture_are_no_samples() -> None:
    case = bar_case()
    outside = replace(case, points=case.points + np.float32(2000.0))
    assert draw_patch_samples(outside, SPEC, np.random.default_rng(0)) == []


def test_an_endplate_goes_through_its_three_points_and_is_known_about_its_middle_alone() -> None:
    points = np.array([(20.0, 20.0), (70.0, 18.0), (27.0, 48.0), (64.0, 47.0), (21.0, 76.0), (72.0, 77.0)])
    plates = plates_of(points, SPEC.columns)
    assert plates[0, 48] == pytest.approx(27.0) and plates[1, 47] == pytest.approx(64.0)
    known = np.flatnonzero(np.isfinite(plates[0]))
    assert known[0] == 44 and known[-1] == 52
    assert set(CORNERS) == {0, 1, 4, 5}
    crossed = points[[4, 5, 2, 3, 0, 1]] * [1.0, 0.0] + [0.0, 40.0]  # no depth: nothing to draw a curve through
    assert np.isnan(plates_of(crossed, SPEC.columns)).all()
