"""Compare what a sweep found on a demo archive with its truth.

Belongs here: matching and counting on plain rows. Does not belong here: reading a lake, printing (`cli.demo`), metrics
of a model on real data (evaluation).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vfscreen.errors import State
from vfscreen.geometry.matching import match_points
from vfscreen.schema.names import KEYPOINTS
from vfscreen.synthesis.truth import DemoTruth, SeriesTruth, VisibleVertebra


@dataclass(frozen=True)
class Pair:
    """A true vertebra and the row (of table `vertebrae`) that was found for it; None where it was missed."""

    series: SeriesTruth
    truth: VisibleVertebra
    found: Mapping[str, Any] | None

    @property
    def point_error_mm(self) -> float | None:
        """Mean distance of the six points; None where they were not measured."""
        if self.found is None or self.found[f"{KEYPOINTS[0]}_lps_mm"] is None:
            return None
        measured = np.array([self.found[f"{n}_lps_mm"] for n in KEYPOINTS])
        true = np.array([self.truth.keypoints_lps_mm[n] for n in KEYPOINTS])
        return float(np.linalg.norm(measured - true, axis=1).mean())


@dataclass(frozen=True)
class Score:
    """pairs: every true vertebra of every series that should be screened. extra: findings where no vertebra is.

    unexpected: (series, state found, reason found) where it differs from the truth, state "absent" for no row at all.
    """

    pairs: tuple[Pair, ...]
    extra: tuple[Mapping[str, Any], ...]
    unexpected: tuple[tuple[SeriesTruth, str, str | None], ...]

    @property
    def whole(self) -> list[Pair]:
        """Pairs of the vertebrae that are whole in their series: those that must be found, named and graded."""
        return [p for p in self.pairs if not p.truth.truncated]

    @property
    def matched(self) -> list[Pair]:
        return [p for p in self.whole if p.found is not None]

    @property
    def missed(self) -> list[Pair]:
        return [p for p in self.whole if p.found is None]

    @property
    def level_errors(self) -> list[Pair]:
        """Matched, but named otherwise or not named."""
        return [p for p in self.matched if p.found and p.found["vertebra_level"] != p.truth.vertebra_level]

    @property
    def point_errors_mm(self) -> list[float]:
        return [e for p in self.matched if (e := p.point_error_mm) is not None]

    @property
    def grade_confusion(self) -> list[list[int]]:
        """[true grade][found grade], raw loss on both sides; column 4 is matched without a grade."""
        table = [[0] * 5 for _ in range(4)]
        for pair in self.matched:
            assert pair.found is not None
            grade = pair.found["genant_grade_raw"]
            table[pair.truth.genant_grade_raw][4 if grade is None else int(grade)] += 1
        return table


def score(truth: DemoTruth, series: Iterable[Mapping[str, Any]], vertebrae: Iterable[Mapping[str, Any]]) -> Score:
    """series, vertebrae: rows of the lake's tables of these names."""
    state_of = {row["SeriesInstanceUID"]: row for row in series}
    rows_of: dict[str, list[Mapping[str, Any]]] = {}
    for row in vertebrae:
        rows_of.setdefault(row["SeriesInstanceUID"], []).append(row)
    pairs: list[Pair] = []
    extra: list[Mapping[str, Any]] = []
    unexpected = []
    for item in truth.series:
        ended = state_of.get(item.SeriesInstanceUID)
        state, reason = ("absent", None) if ended is None else (ended["state"], ended["reason_code"])
        if (state, reason) != (item.expected_state, item.expected_reason):
            unexpected.append((item, state, reason))
        if item.expected_state == State.SCREENED.value:
            found, left_over = _match(item, rows_of.get(item.SeriesInstanceUID, []))
            pairs += found
            extra += left_over
    return Score(tuple(pairs), tuple(extra), tuple(unexpected))


def _match(series: SeriesTruth, rows: Sequence[Mapping[str, Any]]) -> tuple[list[Pair], list[Mapping[str, Any]]]:
    """One to one by distance of the centres; what cannot be matched is missed or extra."""
    partner = match_points([v.centre_lps_mm for v in series.vertebrae], [r["centre_lps_mm"] for r in rows])
    pairs = [Pair(series, v, rows[partner[n]] if n in partner else None) for n, v in enumerate(series.vertebrae)]
    taken = set(partner.values())
    return pairs, [row for n, row in enumerate(rows) if n not in taken]
