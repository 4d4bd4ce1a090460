"""Compare what a sweep found on a demo archive with its truth.

Belongs here: matching and counting on plain rows. Does not belong here: reading a lake, printing (`cli.demo`), metrics
of a model on real data (evaluation).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vfscreen.errors import State
from vfscreen.geometry.matching import match_points
from vfscreen.schema.names import KEYPOINTS
from vfscreen.synthesis.truth import DemoTruth, FilmTruth, SeriesTruth, VisibleVertebra


@dataclass(frozen=True)
class Pair:
    """A true vertebra and the row (of table `vertebrae`) that was found for it; None where it was missed."""

    series: SeriesTruth
    truth: VisibleVertebra
    found: Mapping[str, Any] | None

    @property
    def point_error_mm(self) -> float | None:
        """Mean distance of the six points, in the patient; None where they were not measured. On a film in its plane,
        at the scale that the true heights have on it."""
        kind = "px" if self.truth.keypoints_px else "lps_mm"
        if self.found is None or self.found[f"{KEYPOINTS[0]}_{kind}"] is None:
            return None
        measured = np.array([self.found[f"{n}_{kind}"] for n in KEYPOINTS])
        points = self.truth.keypoints_px or self.truth.keypoints_lps_mm
        true = np.array([points[n] for n in KEYPOINTS])
        return film_scale_mm(self.truth) * float(np.linalg.norm(measured - true, axis=1).mean())


@dataclass(frozen=True)
class Score:
    """pairs: every true vertebra of every series that should be screened. extra: findings where no vertebra is.

    unexpected: (series, state found, reason found) where it differs from the truth, state "absent" for no row at all.
    unexpected_films: the same of films. films_by_outcome: reason or state -> films that should end so.
    """

    pairs: tuple[Pair, ...]
    extra: tuple[Mapping[str, Any], ...]
    unexpected: tuple[tuple[SeriesTruth, str, str | None], ...]
    unexpected_films: tuple[tuple[FilmTruth, str, str | None], ...] = ()
    films_by_outcome: Mapping[str, int] = field(default_factory=dict)

    def of(self, modalities: Collection[str]) -> Score:
        """The vertebrae of series of some modalities alone."""
        return replace(
            self,
            pairs=tuple(p for p in self.pairs if p.series.modality in modalities),
            extra=tuple(row for row in self.extra if row["modality"] in modalities),
        )

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


def score(
    truth: DemoTruth,
    series: Iterable[Mapping[str, Any]],
    vertebrae: Iterable[Mapping[str, Any]],
    films: Iterable[Mapping[str, Any]] = (),
) -> Score:
    """series, vertebrae, films: rows of the lake's tables of these names."""
    state_of = {row["SeriesInstanceUID"]: row for row in series}
    film_of = {row["SOPInstanceUID"]: row for row in films}
    rows_of: dict[str, list[Mapping[str, Any]]] = {}
    for row in vertebrae:
        rows_of.setdefault(row["SeriesInstanceUID"], []).append(row)
    pairs: list[Pair] = []
    extra: list[Mapping[str, Any]] = []
    unexpected, unexpected_films = [], []
    for item in truth.series:
        state, reason = _ending(state_of.get(item.SeriesInstanceUID))
        if (state, reason) != (item.expected_state, item.expected_reason):
            unexpected.append((item, state, reason))
        for film in item.films:
            state, reason = _ending(film_of.get(film.SOPInstanceUID))
            if (state, reason) != (film.expected_state, film.expected_reason):
                unexpected_films.append((film, state, reason))
        if item.expected_state == State.SCREENED.value:
            for shown, rows in _apart(item, rows_of.get(item.SeriesInstanceUID, [])):
                found, left_over = _match(item, shown, rows)
                pairs += found
                extra += left_over
    outcomes = Counter(f.expected_reason or f.expected_state for s in truth.series for f in s.films)
    return Score(tuple(pairs), tuple(extra), tuple(unexpected), tuple(unexpected_films), outcomes)


def film_scale_mm(vertebra: VisibleVertebra) -> float:
    """Millimetres of the patient a pixel of the film a vertebra is on; 1 where it is on none (positions are mm)."""
    if not vertebra.keypoints_px:
        return 1.0
    points = np.array([vertebra.keypoints_px[n] for n in KEYPOINTS])
    heights_px = np.linalg.norm(points[0::2] - points[1::2], axis=1)
    return float(np.sum(vertebra.heights_mm) / heights_px.sum())


def _ending(row: Mapping[str, Any] | None) -> tuple[str, str | None]:
    return ("absent", None) if row is None else (row["state"], row["reason_code"])


def _apart(
    series: SeriesTruth, rows: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[list[VisibleVertebra], list[Mapping[str, Any]]]]:
    """True vertebrae and rows that lie on one picture: a CT series, or a film."""
    pictures: list[str | None] = [film.SOPInstanceUID for film in series.films]
    for uid in pictures or [None]:
        yield (
            [v for v in series.vertebrae if v.SOPInstanceUID == uid],
            [row for row in rows if row["SOPInstanceUID"] == uid],
        )


def _match(
    series: SeriesTruth, shown: Sequence[VisibleVertebra], rows: Sequence[Mapping[str, Any]]
) -> tuple[list[Pair], list[Mapping[str, Any]]]:
    """One to one by distance of the centres; what cannot be matched is missed or extra."""
    true = [v.centre_lps_mm for v in shown]
    centres = [row["centre_lps_mm"] for row in rows]
    if series.films:
        # in the film's plane, at the scale that most heights have
        scale = float(np.median([film_scale_mm(v) for v in shown])) if shown else 1.0
        true = [(scale * v.centre_px[0], scale * v.centre_px[1], 0.0) for v in shown]
        centres = [(scale * row["centre_px"][0], scale * row["centre_px"][1], 0.0) for row in rows]
    partner = match_points(true, centres)
    pairs = [Pair(series, v, rows[partner[n]] if n in partner else None) for n, v in enumerate(shown)]
    taken = set(partner.values())
    return pairs, [row for n, row in enumerate(rows) if n not in taken]
