"""Screen read volumes with the whole chain and compare: what issue-level targets are measured on.

Belongs here: one volume's screening against its reading. Does not belong here: the table of targets (model_table), a
detector measured by itself (vertebra_evaluate), cohorts of rows (evaluation).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vfscreen.errors import Rejected
from vfscreen.geometry.matching import match_points
from vfscreen.geometry.volume import Volume
from vfscreen.models.ports import LocatedColumn, ModelSet
from vfscreen.schema.names import LEVELS
from vfscreen.screening.chain import screen_volume
from vfscreen.screening.result import ScreeningResult, Vertebra
from vfscreen.settings import ScreeningSettings
from vfscreen.training.readings import ReadVertebra
from vfscreen.training.vertebra_evaluate import Match, VolumeResult

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Screened:
    """One volume. pairs: a read vertebra and what was found there, or None. centreline_mm: distances of read body
    centres from the curve. consecutive: no level skipped or repeated among neighbours found. spacing_mm: of slices."""

    name: str
    spacing_mm: float
    pairs: tuple[tuple[ReadVertebra, Vertebra | None], ...]
    extra: int
    centreline_mm: Float
    consecutive: bool

    def as_volume_result(self) -> VolumeResult:
        """Matches of vertebrae that were measured; a truncated one was found, but has no points."""
        matches = []
        for truth, found in self.pairs:
            if found is None:
                matches.append(Match(self.name, truth, None, None, None, None))
            elif found.keypoints_lps_mm is not None and found.keypoint_sd_mm is not None:
                sd = np.repeat(found.keypoint_sd_mm[:, None], 2, axis=1)
                matches.append(Match(self.name, truth, found.keypoints_lps_mm, sd, found.fracture_score, None))
        return VolumeResult(self.name, tuple(matches), (1.0,) * self.extra)


class KnownCourse:
    """A locator that knows where the column runs, for images of which the locator has seen no like."""

    def __init__(self, points_lps_mm: Float) -> None:
        self._points = points_lps_mm

    def locate(self, volume: Volume) -> LocatedColumn:
        return LocatedColumn(self._points, np.ones(len(self._points)))


def knowing(models: ModelSet, points_lps_mm: Float) -> ModelSet:
    """The same models with a known course (M, 3) in place of the locator."""
    return replace(models, locator=KnownCourse(points_lps_mm))


def screen_reading(
    name: str,
    volume: Volume,
    vertebrae: Sequence[ReadVertebra],
    models: ModelSet,
    settings: ScreeningSettings,
) -> Screened:
    """Screen one volume; one in which nothing was found has missed every vertebra."""
    spacing = float(max(volume.spacing_mm))
    try:
        result = screen_volume(volume, models, settings)
    except Rejected:
        return Screened(name, spacing, tuple((v, None) for v in vertebrae), 0, np.zeros(0), True)
    return compare(name, spacing, result, vertebrae)


def compare(name: str, spacing_mm: float, result: ScreeningResult, vertebrae: Sequence[ReadVertebra]) -> Screened:
    """A result against a reading. What is found beyond the outermost read vertebrae counts neither way."""
    centres = np.array([v.centre_lps_mm for v in vertebrae])
    found = np.array([v.centre_lps_mm for v in result.vertebrae]).reshape(-1, 3)
    pairs = match_points(centres, found)
    low, high = centres[:, 2].min(), centres[:, 2].max()
    extra = sum(
        not v.truncated and low < v.centre_lps_mm[2] < high
        for i, v in enumerate(result.vertebrae)
        if i not in pairs.values()
    )
    aside = result.centreline.from_lps(centres)
    levels = [v.vertebra_level for v in result.vertebrae]
    return Screened(
        name,
        spacing_mm,
        tuple((v, result.vertebrae[pairs[i]] if i in pairs else None) for i, v in enumerate(vertebrae)),
        int(extra),
        np.hypot(aside[:, 1], aside[:, 2]),
        all(levels_follow(a, b) for a, b in itertools.pairwise(levels)),
    )


def levels_follow(upper: str | None, lower: str | None) -> bool:
    """Whether one level comes after another: nothing between them but a T12 or a T13, which not everyone has."""
    if upper is None or lower is None:
        return True
    first, second = LEVELS.index(upper), LEVELS.index(lower)
    return first < second and set(LEVELS[first + 1 : second]) <= {"T12", "T13"}
