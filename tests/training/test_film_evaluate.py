"""The film table: a perfect report is perfect, and each planted mistake shows where it belongs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from vfscreen.screening.film_result import FilmVertebra
from vfscreen.training.film_evaluate import (
    FilmComparison,
    KnownBody,
    compare_film,
    detection_numbers,
    grade_numbers,
    point_numbers,
    stated_and_true,
)

LEVELS = ("C7", "T1", "T12", "L1", "L2", "S1")


def known(level: str, n: int) -> KnownBody:
    corners = np.array([[40.0 * n, 0], [40.0 * n + 30, 0], [40.0 * n, 40], [40.0 * n + 30, 40]])
    return KnownBody(level, corners, level in ("T12", "L1", "L2"), 0.3 if level == "L1" else 0.05)


def report(body: KnownBody, level: str | None = None, shift: Sequence[float] = (0.0, 0.0)) -> FilmVertebra:
    c = body.corners_px + np.asarray(shift)
    points: NDArray[np.float64] = np.array([c[0], c[1], (c[0] + c[2]) / 2, (c[1] + c[3]) / 2, c[2], c[3]])
    heights = np.linalg.norm(points[0::2] - points[1::2], axis=1)
    return FilmVertebra(
        **dict.fromkeys(FilmVertebra.__dataclass_fields__)
        | {
            "vertebra_level": level or body.level,
            "level_certain": True,
            "truncated": False,
            "centre_px": points.mean(axis=0),
            "keypoints_px": points,
            "keypoint_sd_px": np.ones(6),
            "heights_px": heights,
            "height_loss_ratio_raw": body.loss,
            "genant_grade_raw": 2 if body.loss >= 0.25 else 0,
            "genant_grade": 2 if body.loss >= 0.25 else 0,
            "fracture_probability": 0.9,
            "grade2_probability": body.loss,
            "grade3_probability": 0.1,
        }
    )


BODIES = [known(level, n) for n, level in enumerate(LEVELS)]
MEASURED = [b for b in BODIES if b.measured]


def values(films: list[FilmComparison]) -> dict[str, float]:
    return {n.name: n.value for n in [*detection_numbers(films), *point_numbers(films), *grade_numbers(films)]}


def test_a_perfect_report_is_perfect() -> None:
    table = values([compare_film("a", BODIES, [report(b) for b in MEASURED])])
    for name, value in table.items():
        perfect = 0.0 if "distance" in name or "error" in name else 1.0
        if "films" not in name:  # one film has one class
            assert value == pytest.approx(perfect), name


def test_missed_false_and_misnamed_are_told_apart() -> None:
    reports = [report(MEASURED[0], "T11"), report(MEASURED[1])]
    reports.append(report(known("L5", 20)))  # where nothing is
    reports.append(report(BODIES[-1], "L5"))  # the sacrum
    reports.append(report(BODIES[0], "T1"))  # a cervical body called thoracic
    reports.append(report(BODIES[1]))  # a vertebra that is not measured counts neither way
    reports.append(replace(report(MEASURED[2]), keypoints_px=None))  # cut: not reported
    comparison = compare_film("a", BODIES, reports)
    assert len(comparison.false) == 3
    table = values([comparison])
    assert table["vertebrae found (recall)"] == pytest.approx(2 / 3)
    assert table["reports that are vertebrae (precision)"] == pytest.approx(2 / 5)
    assert table["levels right, of those found"] == pytest.approx(1 / 2)


def test_distances_are_shares_of_the_height_and_ratios_follow_the_points() -> None:
    moved = report(MEASURED[0], shift=(0.0, 3.0))
    table = values([compare_film("a", BODIES, [moved])])
    assert table["corner distance, share of the body's height, median"] == pytest.approx(0.1)
    assert table["anterior / posterior height ratio, mean absolute error"] == pytest.approx(0.0)
    taller = report(MEASURED[0])
    assert taller.keypoints_px is not None and taller.heights_px is not None
    wrong = replace(taller, heights_px=taller.heights_px * np.array([1.2, 1.0, 1.0]))
    table = values([compare_film("a", BODIES, [wrong])])
    assert table["anterior / posterior height ratio, mean absolute error"] == pytest.approx(0.2)


def test_intervals_are_over_films() -> None:
    films = [compare_film(str(n), BODIES, [report(b) for b in MEASURED[: n % 2 * 3]]) for n in range(8)]
    recall = detection_numbers(films)[0]
    assert recall.value == pytest.approx(0.5) and recall.n == 24
    assert recall.ci95 is not None and recall.ci95[1] - recall.ci95[0] > 0.4, "eight films, not 24 vertebrae"


def test_what_was_stated_stands_beside_what_is_so() -> None:
    severe = replace(known("L2", 4), loss=0.5)
    ungraded = replace(report(MEASURED[1]), grade2_probability=None)
    films = [compare_film("a", BODIES, [report(MEASURED[0]), ungraded]), compare_film("b", [severe], [report(severe)])]
    stated, true = stated_and_true(films)
    np.testing.assert_allclose(stated, [[0.9, 0.05, 0.1], [0.9, 0.5, 0.1]])
    np.testing.assert_array_equal(true, [[0, 0, 0], [1, 1, 1]])
    assert [a.shape for a in stated_and_true([])] == [(0, 3), (0, 3)]
