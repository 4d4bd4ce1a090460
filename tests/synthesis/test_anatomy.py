"""The drawn patient: exact targets, normal bodies that are normal, a column that holds together."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfscreen.schema.names import DeformityType
from vfscreen.synthesis.anatomy import FractureSpec, draw_patient, genant_grade_of, vertebra_truth

KINDS = (DeformityType.WEDGE, DeformityType.BICONCAVE, DeformityType.CRUSH)
FRACTURED = st.sampled_from(["T4", "T7", "T8", "T11", "T12", "L1", "L2", "L4"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("loss", "grade"), [(0.1999, 0), (0.20, 1), (0.2499, 1), (0.25, 2), (0.3999, 2), (0.40, 3), (0.6, 3)]
)
def test_a_fracture_has_the_loss_and_grade_that_were_asked_for(kind: DeformityType, loss: float, grade: int) -> None:
    for level, seed in (("T5", 0), ("T12", 1), ("L3", 2)):
        spec = draw_patient(np.random.default_rng(seed), [FractureSpec(level, kind, loss)], variant="none")
        (truth,) = (t for t in vertebra_truth(spec) if t.level == level)
        assert truth.height_loss_ratio_raw == pytest.approx(loss, abs=1e-8)
        assert truth.genant_grade_raw == grade
        assert truth.deformity_type is kind


@given(seed=st.integers(0, 2**32), level=FRACTURED, kind=st.sampled_from(KINDS), loss=st.floats(0.2, 0.7))
@settings(max_examples=60, deadline=None)
def test_each_deformity_has_its_shape(seed: int, level: str, kind: DeformityType, loss: float) -> None:
    healthy = draw_patient(np.random.default_rng(seed), [], variant="none")
    broken = draw_patient(np.random.default_rng(seed), [FractureSpec(level, kind, loss)], variant="none")
    (before,) = (t for t in vertebra_truth(healthy) if t.level == level)
    (after,) = (t for t in vertebra_truth(broken) if t.level == level)
    anterior, middle, posterior = after.heights_mm
    assert 1 - after.heights_mm.min() / after.heights_mm.max() == pytest.approx(loss, abs=1e-8)
    assert after.heights_mm.max() <= before.heights_mm.max() + 1e-6
    if kind is DeformityType.BICONCAVE:
        assert middle < min(anterior, posterior)
    else:
        assert anterior == after.heights_mm.min()
        reduced = posterior / before.heights_mm[2]
        assert (reduced < 0.85) == (kind is DeformityType.CRUSH)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_a_normal_patient_has_no_fracture_and_a_column_in_order(seed: int) -> None:
    spec = draw_patient(np.random.default_rng(seed), [])
    truth = vertebra_truth(spec)
    for t in truth:
        assert t.genant_grade_raw == 0 or t.level in ("L5", "L6"), (t.level, t.height_loss_ratio_raw)
        assert t.heights_mm.min() > 9.0 and t.heights_mm.max() < 40.0
        assert t.deformity_type is DeformityType.NONE
    heights = [t.centre_lps_mm[2] for t in truth]
    assert heights == sorted(heights, reverse=True)
    for upper, lower in pairwise(truth):
        # the disc between the endplates' corners is open: 1-20 mm along the column
        gap = upper.keypoints_lps_mm[[1, 5]].mean(axis=0) - lower.keypoints_lps_mm[[0, 4]].mean(axis=0)
        assert 1.0 < np.linalg.norm(gap) < 20.0
        assert gap[2] > 0


@given(seed=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_frames_are_orthonormal_and_right_handed_in_left_posterior_superior(seed: int) -> None:
    for v in draw_patient(np.random.default_rng(seed)).vertebrae:
        assert np.allclose(v.frame @ v.frame.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(v.frame) == pytest.approx(1.0)
        assert v.frame[0, 0] > 0.8 and v.frame[2, 2] > 0.2


def test_a_follow_up_differs_from_its_baseline_by_the_fracture_alone() -> None:
    def truth(*fractures: FractureSpec) -> dict[str, np.ndarray]:
        spec = draw_patient(np.random.default_rng(9), fractures, sex="M", age_years=66, variant="none")
        return {t.level: t.heights_mm for t in vertebra_truth(spec)}

    before, after = truth(), truth(FractureSpec("T12", DeformityType.WEDGE, 0.36))
    changed = [level for level in before if not np.allclose(before[level], after[level])]
    assert changed == ["T12"]


def test_the_same_seed_gives_the_same_patient_and_another_does_not() -> None:
    def points(seed: int) -> np.ndarray:
        return np.stack([t.keypoints_lps_mm for t in vertebra_truth(draw_patient(np.random.default_rng(seed), []))])

    assert np.array_equal(points(5), points(5))
    assert not np.array_equal(points(5)[:20], points(6)[:20])


@pytest.mark.parametrize(
    ("variant", "present", "absent"), [("none", "L5", "T13"), ("T13", "T13", "L6"), ("L6", "L6", "T13")]
)
def test_variants_have_their_levels(variant: str, present: str, absent: str) -> None:
    levels = [v.level for v in draw_patient(np.random.default_rng(1), [], variant=variant).vertebrae]
    assert present in levels and absent not in levels


def test_fractures_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="T13"):
        draw_patient(np.random.default_rng(0), [FractureSpec("T13", DeformityType.WEDGE, 0.3)], variant="none")
    with pytest.raises(ValueError, match="loss"):
        FractureSpec("L1", DeformityType.WEDGE, 0.0)
    with pytest.raises(ValueError, match="deformity"):
        FractureSpec("L1", DeformityType.NONE, 0.3)


@given(loss=st.floats(0, 1))
def test_grades_agree_with_the_definition_of_the_morphometry(loss: float) -> None:
    borders = [0.20, 0.25, 0.40]
    assert genant_grade_of(loss) == int(np.searchsorted(borders, loss, side="right"))
