"""Two cases made one: points stay on what they mark, levels follow each other, what does not fit is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.film_bars import bar_case
from vfscreen.schema.names import LEVELS
from vfscreen.training.film_cases import FilmCase, load_case, save_case
from vfscreen.training.film_stacking import stack, stack_pool


def upper() -> FilmCase:
    return replace(bar_case(bodies=7, last="L1"), source="chest")


def lower() -> FilmCase:
    case = bar_case(bodies=10, last="L5")
    return replace(case, source="abdomen", sacrum=case.points[-1, 1::4] + np.float32([12.0, 0.0]))


def test_the_joined_case_is_one_column_and_points_lie_on_their_bodies() -> None:
    joined = stack(upper(), lower(), np.random.default_rng(1))
    assert joined is not None
    first = LEVELS.index(joined.levels[0])
    usual = [level for level in LEVELS[first:] if level not in ("T13", "L6")]
    assert list(joined.levels) == usual[: len(joined.levels)] and joined.levels[-1] == "L5"
    assert len(joined.points) == len(joined.levels) == len(joined.confidence) == len(joined.lost) == len(joined.loss)
    steps = np.diff(joined.points.mean(axis=1), axis=0)
    assert np.abs(steps - steps.mean(axis=0)).max() < 4.0
    for body in joined.points:
        middle = np.rint(body.mean(axis=0)).astype(int)
        top, bottom = body[0::2].mean(axis=0), body[1::2].mean(axis=0)
        above = np.rint(top - 0.2 * (bottom - top)).astype(int)
        assert joined.bone[tuple(middle)] > 5.0
        assert joined.bone[tuple(above)] < 2.0
    assert (joined.sacrum[:, 0] > joined.points[-1, :, 0].max()).all()
    assert joined.soft.shape == joined.bone.shape and joined.known_rows[1] > joined.known_rows[0]


def test_a_larger_body_is_brought_to_the_upper_ones_scale() -> None:
    small = upper()
    big = lower()
    doubled = replace(
        big,
        soft=np.kron(big.soft, np.ones((2, 1), np.float32))[: 2 * big.soft.shape[0]],
        bone=np.kron(big.bone, np.ones((2, 1), np.float32)),
        points=(big.points + 0.5) * np.float32([2.0, 1.0]) - 0.5,
    )
    assert stack(small, doubled, np.random.default_rng(0)) is None  # twice as large is no patient of the same picture


def test_cases_without_a_common_place_are_refused() -> None:
    assert stack(bar_case(bodies=3, last="L3"), lower(), np.random.default_rng(0)) is None  # below the junction
    assert stack(bar_case(bodies=5, last="T7"), lower(), np.random.default_rng(0)) is None  # a gap between them


def test_a_pool_is_added_to_the_same_way_each_time(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        save_case(replace(upper(), name="lateral-chest-0-000"), tmp_path / folder)
        save_case(replace(lower(), name="lateral-abdomen-0-000"), tmp_path / folder)
    paths = [sorted(stack_pool(tmp_path / folder, 3)) for folder in ("a", "b")]
    assert [p.name for p in paths[0]] == [p.name for p in paths[1]] and len(paths[0]) == 3
    assert all(p.name.startswith("lateral-stacked-") and "chest" in p.name and "abdomen" in p.name for p in paths[0])
    one, other = (load_case(p[0]) for p in paths)
    assert np.array_equal(one.soft, other.soft) and np.array_equal(one.points, other.points)


def test_a_pool_where_nothing_fits_says_so(tmp_path: Path) -> None:
    save_case(replace(lower(), name="lateral-abdomen-0-000"), tmp_path)
    with pytest.raises(ValueError, match="fit together"):
        list(stack_pool(tmp_path, 1))
