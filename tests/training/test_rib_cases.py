"""Cases of the rib network: counted on from what was read, exact on synthetic patients, kept as they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training import columns
from vfscreen.spine.priors import VERTEBRA_KINDS
from vfscreen.training.readings import Reading
from vfscreen.training.rib_cases import CASE_SPEC, RibCase, counted_levels, kind_of, load_case, phantom_case, save_case


@pytest.fixture(scope="module")
def case() -> RibCase:
    return phantom_case(7)


def reading_of(levels: tuple[str | None, ...], certain: bool = True) -> Reading:
    """The four boxes of `columns`, those of a level None unread."""
    read = [
        replace(v, level=level, level_certain=certain)
        for v, level in zip(columns.vertebrae(), levels, strict=True)
        if level is not None
    ]
    return Reading("boxes", columns.centreline().points_lps_mm, tuple(read))


def test_levels_are_counted_on_from_the_read_ones() -> None:
    assert counted_levels(columns.centres(), reading_of((None, "L1", "L2", None))) == ["T12", "L1", "L2", "L3"]
    assert counted_levels(columns.centres(), reading_of((None, "L1", "L2", None), certain=False)) == [None] * 4


def test_counting_stops_where_a_vertebra_is_missing() -> None:
    centres = np.delete(np.vstack([columns.centres(), columns.centres()[-1] - [0, 0, 32.0]]), 2, axis=0)
    assert counted_levels(centres, reading_of(("L1", "L2", None, None))) == ["L1", "L2", None, None]


def test_a_detection_far_from_what_was_read_is_not_it() -> None:
    moved = columns.centres() + np.array([0.0, 30.0, 0.0])
    assert counted_levels(moved, reading_of(("L1", "L2", "L3", "L4"))) == [None] * 4


def test_a_kind_is_what_a_vertebra_carries() -> None:
    names = [VERTEBRA_KINDS[kind_of(level, ribbed)] for level, ribbed in [("C7", False), ("T12", True), ("T12", False)]]
    assert names == ["cervical", "rib_bearing", "lumbar"]
    assert VERTEBRA_KINDS[kind_of("C7", True)] == VERTEBRA_KINDS[kind_of("L1", True)] == "rib_bearing"
    assert VERTEBRA_KINDS[kind_of("S", False)] == "sacrum"


def test_a_synthetic_patient_is_exact(case: RibCase) -> None:
    assert case.levels[-1] == "S" and case.sacrum_below.tolist()[-2:] == [1, -1]
    assert sum(case.sacrum_below == 1) == 1
    assert (np.diff(case.centres_mm[:, 0]) > 0).all()
    assert np.abs(case.centres_mm[:, 1:]).max() < 5.0
    # bone beside the body where ribs are: more than beside lumbar ones, at the height of their heads
    dense = []
    for i, (s, p, l_) in enumerate(case.centres_mm):
        row = round((s + CASE_SPEC.margin_mm) / CASE_SPEC.pixel_mm)
        column = round((p + 30.0 + CASE_SPEC.anterior_mm) / CASE_SPEC.pixel_mm)
        offsets = np.abs(np.asarray(CASE_SPEC.plane_offsets_mm) - l_)
        beside = case.hu[(offsets > 46) & (offsets < 58), row - 8 : row + 8, column - 8 : column + 8]
        dense.append((case.levels[i], bool(case.ribbed[i]), float((beside > 200).mean())))
    ribbed = [share for level, has, share in dense if has and level in ("T6", "T7", "T8", "T9", "T10")]
    lumbar = [share for level, _, share in dense if level in ("L2", "L3", "L4")]
    assert min(ribbed) > 2 * max(lumbar)


def test_a_case_is_kept_as_it_was(case: RibCase, tmp_path: Path) -> None:
    kept = load_case(save_case(case, tmp_path))
    assert (kept.name, kept.levels) == (case.name, case.levels)
    for name in ("hu", "centres_mm", "ribbed", "sacrum_below", "kinds"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(case, name))
