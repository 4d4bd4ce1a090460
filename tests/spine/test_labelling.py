"""A column is labelled as a whole: consecutive, past gaps and variants, and never surer than the evidence."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfscreen.schema.names import LEVELS
from vfscreen.spine.labelling import LabelledColumn, label_column, sacrum_top_s_mm, wide_view_at
from vfscreen.spine.landmarks import RibReading
from vfscreen.spine.priors import SACRUM, STATES, kind_share, neighbour_steps

CANONICAL = tuple(level for level in LEVELS if level not in ("T13", "L6"))


def centres(levels: list[str], size: float = 1.0, t12_missed: bool = False) -> np.ndarray:
    """Body centres on a straight line, at the typical distances of these levels (any gap between them filled in)."""
    step = {(STATES[s.upper], STATES[s.lower]): s.distance_mm for s in neighbour_steps()}
    z = [0.0]
    for upper, lower in pairwise(levels):
        if (upper, lower) in step and not (t12_missed and (upper, lower) == ("T11", "L1")):
            distance = step[upper, lower]
        else:
            i, j = CANONICAL.index(upper), CANONICAL.index(lower)
            distance = sum(step[CANONICAL[k], CANONICAL[k + 1]] for k in range(i, j))
        z.append(z[-1] - size * distance)
    return np.array([[0.0, 0.0, value] for value in z])


def votes(levels: list[str], strength: float = 4.0, width: int = len(LEVELS)) -> np.ndarray:
    scores = np.zeros((len(levels), width))
    for row, level in enumerate(levels):
        scores[row, STATES.index(level)] = strength
    return scores


def span(first: str, count: int) -> list[str]:
    start = CANONICAL.index(first)
    return list(CANONICAL[start : start + count])


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(span("C3", 20)), st.integers(3, 12), st.floats(0.85, 1.15))
def test_clear_votes_are_followed_at_any_size(first: str, count: int, size: float) -> None:
    levels = span(first, count)
    column = label_column(centres(levels, size), votes(levels))
    assert list(column.levels) == levels
    assert column.posterior.sum(axis=1) == pytest.approx(np.ones(len(levels)))


def test_one_confused_vertebra_does_not_break_the_order() -> None:
    levels = span("T8", 9)
    wrong = levels.copy()
    wrong[3] = "L4"
    wrong[6] = "T5"
    assert list(label_column(centres(levels), votes(wrong)).levels) == levels


@pytest.mark.parametrize("missing", ["T10", "T12", "L2"])
def test_a_missed_vertebra_leaves_a_gap_instead_of_shifting_the_rest(missing: str) -> None:
    levels = [level for level in span("T7", 10) if level != missing]
    # the votes above the gap are clear, those below are silent: only the distance tells
    scores = votes(levels)
    scores[levels.index(CANONICAL[CANONICAL.index(missing) + 1]) :] = 0.0
    assert list(label_column(centres(levels, t12_missed=True), scores).levels) == levels


def test_two_missed_vertebrae() -> None:
    levels = ["T6", "T7", "T8", "T11", "T12", "L1"]
    assert list(label_column(centres(levels), votes(levels, 2.0)).levels) == levels


@pytest.mark.parametrize(
    "levels",
    [
        ["T10", "T11", "T12", "T13", "L1", "L2", "L3"],
        ["L2", "L3", "L4", "L5", "L6"],
    ],
)
def test_variants_are_allowed_where_the_evidence_is_strong(levels: list[str]) -> None:
    wide = votes(levels, 6.0, len(STATES))
    assert list(label_column(centres(levels), votes(levels, 6.0), wide).levels) == levels


def test_variants_are_rare_where_it_is_weak() -> None:
    levels = ["T10", "T11", "T12", "T13", "L1"]
    labelled = label_column(centres(["T10", "T11", "T12", "L1", "L2"]), votes(levels, 0.5))
    assert "T13" not in labelled.levels


def test_an_absent_t12() -> None:
    levels = ["T9", "T10", "T11", "L1", "L2", "L3"]
    wide = votes(levels, 6.0, len(STATES))
    assert list(label_column(centres(levels), votes(levels, 6.0), wide).levels) == levels


def test_without_evidence_nothing_is_guessed() -> None:
    """Equal votes, equal distances: probabilities say so, and no landmark is claimed."""
    column = label_column(np.array([[0.0, 0, -24.0 * i] for i in range(3)]), np.zeros((3, len(LEVELS))))
    assert column.landmarks == ()
    assert (column.probabilities < 0.5).all()


def test_the_sacrum_fixes_the_numbering() -> None:
    levels = span("T11", 7)
    silent = np.zeros((7, len(LEVELS)))
    silent[:, [LEVELS.index(level) for level in span("T10", 9)]] = 2.0  # lumbar, but shifted by one or not?
    lost = label_column(centres(levels), silent)
    found = label_column(centres(levels), silent, sacrum_top_mm=24.0)
    assert list(found.levels) == levels
    assert found.landmarks == ("S",)
    assert found.probabilities.min() > lost.probabilities.min()


def test_a_sacrum_detected_as_a_vertebra_is_called_so() -> None:
    levels = [*span("L1", 5), "S"]
    scores = votes([*span("L1", 5), "L6"])
    wide = votes(levels, 5.0, len(STATES))
    assert label_column(centres(levels), scores, wide).levels[-1] == "S"
    assert label_column(centres(levels), scores).levels[-1] != "S"  # without a wide view there is no word for it


def read(levels: list[str], sure: float = 6.0) -> RibReading:
    """What a rib reader of this sureness says of vertebrae that carry what their levels usually do."""
    kinds = sure * np.array([kind_share()[STATES.index(level)].round() for level in levels])
    below = [sure if lower == "S" else -sure for lower in [*levels[1:], "T1"]]
    below[-1] = sure if levels[-1] in ("L5", "L6") else -sure
    return RibReading(kinds, np.array([[-0.5 * v, 0.5 * v] for v in below]))


@pytest.mark.parametrize(("levels", "landmark"), [(span("T10", 6), "T12-L1"), (span("C6", 5), "C7-T1")])
def test_a_junction_of_ribs_is_a_landmark(levels: list[str], landmark: str) -> None:
    silent = np.zeros((len(levels), len(LEVELS)))
    sure = label_column(centres(levels), silent, ribs=read(levels))
    assert list(sure.levels) == levels
    assert sure.landmarks == (landmark,)
    assert (sure.probabilities > 0.9).all()
    assert label_column(centres(levels), votes(levels), votes(levels, 6.0, len(STATES))).landmarks == ()
    assert label_column(centres(levels), votes(levels), ribs=read(levels, 0.3)).landmarks == ()


@pytest.mark.parametrize("shift", [-1, 1])
def test_ribs_overrule_votes_that_are_off_by_one(shift: int) -> None:
    levels = span("T11", 7)
    wrong = [[*CANONICAL, "L6"][CANONICAL.index(level) + shift] for level in levels]
    column = label_column(centres(levels), votes(wrong, 2.0), votes(wrong, 2.0, len(STATES)), ribs=read(levels))
    assert list(column.levels) == levels


def test_one_rib_read_wrongly_far_from_the_junction_changes_nothing() -> None:
    levels = span("T6", 10)
    reading = read(levels)
    reading.kind_log_likelihood[2] = reading.kind_log_likelihood[-1]
    column = label_column(centres(levels), np.zeros((10, len(LEVELS))), ribs=reading)
    assert list(column.levels) == levels
    assert column.landmarks == ("T12-L1",)


def test_ribs_alone_leave_room_for_variants() -> None:
    """A last rib is the twelfth in most people, not in all: no numbering from it alone is beyond doubt."""
    levels = span("T10", 5)
    flat = np.array([[0.0, 0.0, -28.0 * n] for n in range(5)])  # distances that say nothing
    probability = label_column(flat, np.zeros((5, len(LEVELS))), ribs=read(levels)).probabilities
    assert (probability > 0.9).all() and (probability < 0.99).all()


def test_all_ribs_and_no_end_of_them_fix_nothing() -> None:
    levels = span("T4", 6)
    column = label_column(centres(levels), np.zeros((6, len(LEVELS))), ribs=read(levels))
    assert column.landmarks == ()
    assert (column.probabilities < 0.6).all()
    thoracic = [STATES.index(f"T{n}") for n in range(1, 14)]
    assert (column.posterior[:, thoracic].sum(axis=1) > 0.9).all()


@pytest.mark.parametrize(
    "levels",
    [["C7", *span("T1", 12), "T13", *span("L1", 5)], [*span("T11", 7), "L6"]],
)
def test_variants_are_counted_between_two_landmarks(levels: list[str]) -> None:
    column = label_column(centres(levels), np.zeros((len(levels), len(LEVELS))), ribs=read(levels))
    assert list(column.levels) == levels
    assert "S" in column.landmarks


def test_a_sacrum_detected_as_a_vertebra_is_known_by_its_wings() -> None:
    levels = [*span("L1", 5), "S"]
    column = label_column(centres(levels), votes([*span("L1", 5), "L6"]), ribs=read(levels))
    assert list(column.levels) == levels
    assert column.landmarks == ("S",)


def test_no_detection_no_label() -> None:
    assert label_column(np.zeros((0, 3)), np.zeros((0, len(LEVELS)))).levels == ()


def test_the_wide_view_is_averaged_about_each_body() -> None:
    rows = np.log(np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9]]))
    at = wide_view_at(np.array([1.0, 50.0]), np.array([0.0, 4.0, 20.0]), rows)
    assert np.exp(at) == pytest.approx(np.array([[0.9, 0.1], [0.1, 0.9]]))


def test_where_the_sacrum_begins() -> None:
    s = np.arange(0.0, 100.0, 4.0)
    rows = np.zeros((25, len(STATES)))
    rows[:, 22] = 5.0
    assert sacrum_top_s_mm(s, rows) is None
    rows[18:, 22], rows[18:, SACRUM] = 0.0, 6.0
    rows[3, SACRUM] = 9.0  # one stray vote far above
    assert sacrum_top_s_mm(s, rows) == pytest.approx(72.0)
    assert sacrum_top_s_mm(s[:20], rows[:20]) is None  # too little of it in view


def test_real_columns_are_labelled_from_distances_and_weak_votes(shared_data: Path) -> None:
    """Read columns, with votes that spread over five levels: most are labelled right, all are consecutive."""
    right, total = 0, 0
    for path in sorted((shared_data / "ct").glob("*_six_points.json")):
        truth = json.loads(path.read_text())["vertebrae"]
        points = np.array([np.mean([v["anterior_superior"], v["posterior_inferior"]], axis=0) for v in truth])
        levels = [v["level"] for v in truth]
        scores = np.array([[-0.5 * (k - LEVELS.index(level)) ** 2 for k in range(len(LEVELS))] for level in levels])
        column: LabelledColumn = label_column(points, scores)
        right += sum(a == b for a, b in zip(column.levels, levels, strict=True))
        total += len(levels)
    assert right / total > 0.9
