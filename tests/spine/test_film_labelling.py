"""A film's column is labelled at any scale, past what was missed, and is certain only where its end was seen."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.spine.test_labelling import CANONICAL, centres, span, votes
from vfscreen.schema.names import LEVELS
from vfscreen.spine.film_labelling import film_sizes, is_counted, label_film_column
from vfscreen.spine.labelling import LabelledColumn

OUT_OF_VIEW = (0.5, 0.5)


def film_centres(levels: list[str], px_a_mm: float) -> np.ndarray:
    """(n, 2) row, column, superior first."""
    z = centres(levels)[:, 2]
    return np.stack([50.0 - z, 0.1 * z], axis=1) * px_a_mm / np.hypot(1.0, 0.1)


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(span("T1", 12)), st.integers(4, 10), st.floats(0.3, 12.0))
def test_clear_votes_are_followed_at_any_scale(first: str, count: int, px_a_mm: float) -> None:
    levels = span(first, count)
    column = label_film_column(film_centres(levels, px_a_mm), votes(levels), OUT_OF_VIEW)
    assert list(column.levels) == levels
    assert column.landmarks == ()


@settings(deadline=None, max_examples=20)
@given(st.floats(0.5, 12.0), st.floats(0.2, 5.0))
def test_labels_do_not_depend_on_the_scale(px_a_mm: float, factor: float) -> None:
    levels = span("T6", 9)
    points, weak = film_centres(levels, px_a_mm), votes(levels, 1.0)
    one, other = (label_film_column(p, weak, (0.5, 3.0)) for p in (points, points * factor))
    assert one.levels == other.levels
    np.testing.assert_allclose(one.posterior, other.posterior, atol=1e-6)


def test_proportions_alone_tell_the_thorax_from_the_lumbar_spine() -> None:
    """From T8 to L4 distances grow by half, whatever a pixel measures; among T3-T7 they hardly do."""
    levels = span("T8", 9)
    silent = np.zeros((len(levels), len(LEVELS)))
    posterior = label_film_column(film_centres(levels, 3.0), silent, OUT_OF_VIEW).posterior
    lower = posterior[-1, LEVELS.index("L1") : LEVELS.index("L6")].sum()
    assert lower > 0.8


def test_where_the_column_ends_and_the_picture_goes_on_is_the_last_lumbar_vertebra() -> None:
    levels = span("T10", 8)
    column = label_film_column(film_centres(levels, 3.0), votes(levels, 2.0), (0.5, 4.0))
    assert list(column.levels) == levels and column.landmarks == ("S",)
    assert column.probabilities.min() > 0.9


def test_an_end_against_the_votes_is_not_certain() -> None:
    """The detector stopped at T12, behind an implant say; what it voted for stands against the end of the picture."""
    levels = span("T6", 7)
    column = label_film_column(film_centres(levels, 3.0), votes(levels, 5.0), (0.5, 4.0))
    assert column.probabilities.max() < 0.98 or list(column.levels) == levels


@pytest.mark.parametrize("missed", [1, 3, 7])
def test_a_run_of_missed_vertebrae_is_counted(missed: int) -> None:
    """Shoulders hide the upper thoracic spine: neck above, lower thorax below."""
    levels = [*span("C4", 4), *[CANONICAL[CANONICAL.index("C7") + 1 + missed + i] for i in range(6)]]
    column = label_film_column(film_centres(levels, 2.0), votes(levels, 4.0), OUT_OF_VIEW)
    assert list(column.levels) == levels


def test_no_column_begins_at_the_atlas() -> None:
    """It has no body; a column one too long for the neck skipped one below."""
    levels = [*span("C2", 9), *span("T5", 6)]
    column = label_film_column(film_centres(levels, 2.0), votes(levels, 0.5), (3.0, 0.5))
    assert column.levels[0] != "C1"
    assert column.posterior[0, LEVELS.index("C1")] < 0.01


def consecutive(column: LabelledColumn) -> bool:
    named = [CANONICAL.index(level) for level in column.levels if level in CANONICAL]
    return all(b > a for a, b in pairwise(named))


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 14), st.integers(0, 2**31), st.booleans())
def test_levels_always_follow_each_other(count: int, seed: int, ends: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = np.cumsum(rng.uniform(20.0, 80.0, count))
    points = np.stack([rows, rng.normal(0.0, 4.0, count)], axis=1)
    column = label_film_column(points, rng.normal(0.0, 3.0, (count, len(LEVELS))), (3.0, 3.0) if ends else OUT_OF_VIEW)
    assert consecutive(column)


def test_a_known_scale_narrows_the_sizes() -> None:
    points = film_centres(span("T8", 6), 4.0)
    widths = [
        np.ptp(film_sizes(points, mm_a_px, calibrated).log_size)
        for mm_a_px, calibrated in ((None, False), (0.25, False), (0.25, True))
    ]
    assert widths[0] > widths[1] > widths[2]
    middle = film_sizes(points, 0.25, True)
    assert float(middle.log_size.mean()) == pytest.approx(np.log(4.0))


def test_nothing_and_one() -> None:
    assert label_film_column(np.zeros((0, 2)), np.zeros((0, len(LEVELS))), OUT_OF_VIEW).levels == ()
    alone = label_film_column(np.array([[100.0, 50.0]]), votes(["L2"], 6.0), OUT_OF_VIEW)
    assert alone.levels == ("L2",) and alone.landmarks == ()


def test_finds_on_the_skull_are_none_of_the_column() -> None:
    """A whole column with two finds above it: counted right, named without them."""
    levels = span("C3", 22)
    points = film_centres(levels, 3.0)
    step = points[1] - points[0]
    head = [points[0] - 2.0 * step + [0.0, 20.0], points[0] - 1.1 * step]
    scores = np.concatenate([np.zeros((2, len(LEVELS))), votes(levels, 2.0)])
    column = label_film_column(np.concatenate([head, points]), scores, (4.0, 4.0))
    assert column.first >= 1
    assert list(column.levels[2:]) == levels
    assert all(level is None for level in column.levels[: column.first])
    assert is_counted(column)


@pytest.mark.parametrize(("levels", "visible"), [(span("T4", 14), (0.5, 4.0)), (span("C3", 20), (4.0, 0.5))])
def test_one_end_counts_nothing(levels: list[str], visible: tuple[float, float]) -> None:
    assert not is_counted(label_film_column(film_centres(levels, 3.0), votes(levels), visible))


def test_a_missed_vertebra_makes_the_count_uncertain() -> None:
    levels = span("C3", 22)
    kept = [level for level in levels if level != "T5"]
    assert is_counted(label_film_column(film_centres(levels, 3.0), votes(levels), (4.0, 4.0)))
    assert not is_counted(label_film_column(film_centres(kept, 3.0), votes(kept), (4.0, 4.0)))
