"""Simulated fractures: what both kinds share, what tells them apart, and where the points go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vfscreen.spine.film_crop import CropSpec
from vfscreen.synthesis.fresh_fracture import SIGNS, BodyPatch, Fracture, draw_fracture, fracture_patch
from vfscreen.training.film_cases import FilmCase, save_case
from vfscreen.training.fresh_simulate import cut_patch, simulate, usable

PIXEL_MM = 0.5


def column_case(name: str = "lateral-toy-000", source: str = "toy") -> FilmCase:
    """Five box-shaped bodies with cortex, one above the other, front to the left."""
    rows, columns = 480, 260
    soft = np.full((rows, columns), 150.0, dtype=np.float32)
    bone = np.full((rows, columns), 2.0, dtype=np.float32)
    points = []
    for n in range(5):
        top, bottom, front, back = 40 + 80 * n, 100 + 80 * n, 90, 160
        bone[top:bottom, front:back] += 6.0
        bone[top : top + 3, front:back] += 6.0
        bone[bottom - 3 : bottom, front:back] += 6.0
        bone[top:bottom, front : front + 3] += 6.0
        ends = [
            (top, front),
            (bottom - 1, front),
            (top, 125),
            (bottom - 1, 125),
            (top, back - 1),
            (bottom - 1, back - 1),
        ]
        points.append(ends)
    nan = np.full(5, np.nan, dtype=np.float32)
    return FilmCase(
        name, source, "lateral", soft, bone, PIXEL_MM, np.array(points, dtype=np.float32),
        ("T11", "T12", "L1", "L2", "L3"), np.ones(5, dtype=np.float32), nan, nan, (0.0, 480.0),
        np.full((2, 2), np.nan, dtype=np.float32),
    )  # fmt: skip


def patch() -> BodyPatch:
    return cut_patch(column_case(), 2)


def fracture(fresh: bool = True, loss: float = 0.3, **strengths: float) -> Fracture:
    return Fracture(fresh, loss, False, "wedge", strengths, seed=5)


def heights(found: BodyPatch) -> np.ndarray:
    return found.points[1::2, 0] - found.points[0::2, 0]


def test_a_wedge_takes_the_front_s_height_and_leaves_the_back_s() -> None:
    before, after = heights(patch()), heights(fracture_patch(patch(), fracture(loss=0.4)))
    assert after[0] == pytest.approx(0.6 * before[0], rel=0.06)
    assert after[2] == pytest.approx(before[2], rel=0.03)


def test_height_loss_says_nothing_of_the_kind() -> None:
    rng = np.random.default_rng(0)
    fresh, old = ([draw_fracture(kind, rng) for _ in range(400)] for kind in (True, False))
    assert np.mean([f.loss for f in fresh]) == pytest.approx(np.mean([f.loss for f in old]), abs=0.03)
    for sign, chances in SIGNS.items():
        for fractures, chance in zip((fresh, old), chances, strict=True):
            assert np.mean([sign in f.strengths for f in fractures]) == pytest.approx(chance, abs=0.09)
        assert 0 < chances[0] < 1
        assert 0 < chances[1] < 1


@pytest.mark.parametrize("sign", sorted(SIGNS))
def test_every_sign_shows_and_does_so_the_more_the_stronger_it_is(sign: str) -> None:
    plain = fracture_patch(patch(), fracture())
    faint = fracture_patch(patch(), fracture(**{sign: 0.4}))
    strong = fracture_patch(patch(), fracture(**{sign: 1.6}))

    def change(found: BodyPatch) -> float:
        return float(np.abs(found.bone - plain.bone).sum() + np.abs(found.soft - plain.soft).sum())

    assert 0 < change(faint) < change(strong)
    assert np.isfinite(strong.bone).all()
    assert np.isfinite(strong.soft).all()


def test_a_step_breaks_the_anterior_wall_and_sclerosis_does_not() -> None:
    def wall(found: BodyPatch) -> np.ndarray:
        """Column of the steepest rise of bone, row by row, along the body's middle."""
        top, bottom = (int(v) for v in (found.points[0, 0] + 8, found.points[1, 0] - 4))
        front = int(found.points[0, 1])
        part = found.bone[top:bottom, front - 14 : front + 8]
        return np.argmax(np.diff(part, axis=1), axis=1)

    plain = fracture_patch(patch(), fracture(loss=0.1))
    stepped = fracture_patch(patch(), fracture(loss=0.1, step=1.5))
    sclerotic = fracture_patch(patch(), fracture(loss=0.1, sclerosis=1.5))
    assert np.ptp(wall(plain)) <= 2
    assert np.ptp(wall(stepped)) >= 4
    assert np.ptp(wall(sclerotic)) <= 2


def test_the_same_arguments_give_the_same_patch() -> None:
    one, other = (fracture_patch(patch(), fracture(band=1.0, osteophyte=1.0)) for _ in range(2))
    assert np.array_equal(one.bone, other.bone)


def test_crops_come_in_pairs_of_one_vertebra_and_leave_out_what_may_not_be_used(tmp_path: Path) -> None:
    save_case(column_case(), tmp_path)
    save_case(column_case("lateral-held-000", "held"), tmp_path)
    crops = list(simulate(sorted(tmp_path.glob("*.npz")), 6, CropSpec(pixels=32), seed=1, exclude=("held",)))
    assert [c.fresh for c in crops] == [True, False] * 3
    assert {c.source for c in crops} == {"toy"}
    assert all(a.level == b.level for a, b in zip(crops[::2], crops[1::2], strict=True))
    assert all(c.image.shape == (32, 32) and c.inside.mean() > 0.5 for c in crops)
    with pytest.raises(ValueError, match="no case"):
        list(simulate(sorted(tmp_path.glob("*.npz")), 2, CropSpec(pixels=32), seed=1, exclude=("held", "toy")))


def test_a_vertebra_that_is_broken_doubtful_or_cut_is_not_used() -> None:
    case = column_case()
    assert usable(case) == [0, 1, 2, 3, 4]
    lost = case.lost.copy()
    lost[0] = 0.2
    confidence = case.confidence.copy()
    confidence[1] = 0.3
    points = case.points.copy()
    points[2, :, 1] -= 85
    assert usable(replace(case, lost=lost, confidence=confidence, points=points)) == [3, 4]
    assert usable(replace(case, view="ap")) == []
