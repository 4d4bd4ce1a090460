"""The ground truth that lies beside a demo archive, as plain values and JSON.

Belongs here: what is known of files, series and vertebrae, and its reading and writing. Does not belong here: making
the archive (`demo_archive`), comparing it with what a sweep found (`scoring`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from vfscreen.geometry.volume import Volume
from vfscreen.schema.names import KEYPOINTS, DeformityType
from vfscreen.synthesis.anatomy import Float, PatientSpec, vertebra_truth

WHOLE_MARGIN_MM = 0.5
"""A vertebra whose six points are all this far inside the volume is whole."""


@dataclass(frozen=True)
class VisibleVertebra:
    """A vertebra that is at least partly in a series. Positions LPS mm of the series.

    truncated: some of the six points lie outside; then it must not be graded. `genant_grade_raw` is of the raw loss.
    trabecular_hu: spongy bone in this scan, without noise; trabecular_hu_native: at 120 kV without contrast.
    """

    vertebra_level: str
    truncated: bool
    centre_lps_mm: tuple[float, ...]
    keypoints_lps_mm: dict[str, tuple[float, ...]]
    heights_mm: tuple[float, ...]
    height_loss_ratio_raw: float
    genant_grade_raw: int
    deformity_type: str
    trabecular_hu: float | None = None
    trabecular_hu_native: float | None = None


@dataclass(frozen=True)
class SeriesTruth:
    """What must become of a series. expected_reason is null for a screened one. contrast_phase: what its pixels show,
    whatever the header says; null where it shows no vertebra."""

    PatientID: str
    StudyInstanceUID: str
    SeriesInstanceUID: str
    StudyDate: str
    SeriesDescription: str
    instance_count: int
    expected_state: str
    expected_reason: str | None
    vertebrae: tuple[VisibleVertebra, ...]
    contrast_phase: str | None = None


@dataclass(frozen=True)
class DemoTruth:
    """files: file state (`vfscreen.errors.FileState`) -> count, zip members counted one by one as a scan does."""

    seed: int
    patients: int
    fingerprint: str
    files: Mapping[str, int]
    series: tuple[SeriesTruth, ...]

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> DemoTruth:
        """Raises OSError or ValueError where `path` is no truth file."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            series = [
                SeriesTruth(**{**s, "vertebrae": tuple(_vertebra(v) for v in s["vertebrae"])}) for s in raw["series"]
            ]
            return cls(**{**raw, "series": tuple(series)})
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a truth file of a demo archive: {error}") from error


def _vertebra(raw: Mapping[str, object]) -> VisibleVertebra:
    found = dict(raw)
    points = found["keypoints_lps_mm"]
    if not isinstance(points, dict):
        raise TypeError("keypoints_lps_mm must be an object")
    found["keypoints_lps_mm"] = {name: tuple(p) for name, p in points.items()}
    for name in ("centre_lps_mm", "heights_mm"):
        found[name] = tuple(found[name])  # type: ignore[arg-type]
    return VisibleVertebra(**found)  # type: ignore[arg-type]


def visible_vertebrae(spec: PatientSpec, volume: Volume, shift_mm: Sequence[float] | Float) -> list[VisibleVertebra]:
    """The vertebrae of a patient moved by `shift_mm` that a volume shows whole or in part, from the top."""
    found = []
    for truth in vertebra_truth(spec):
        points = truth.keypoints_lps_mm + np.asarray(shift_mm)
        whole = volume.contains(points, WHOLE_MARGIN_MM)
        if not volume.contains(points).any():
            continue
        found.append(
            VisibleVertebra(
                vertebra_level=truth.level,
                truncated=not bool(whole.all()),
                centre_lps_mm=_mm(points.mean(axis=0)),
                keypoints_lps_mm={name: _mm(p) for name, p in zip(KEYPOINTS, points, strict=True)},
                heights_mm=_mm(truth.heights_mm),
                height_loss_ratio_raw=truth.height_loss_ratio_raw,
                genant_grade_raw=truth.genant_grade_raw,
                deformity_type=DeformityType(truth.deformity_type).value,
                trabecular_hu=round(spec.spongy_hu(truth.level), 4),
                trabecular_hu_native=round(spec.native_hu(truth.level), 4),
            )
        )
    return found


def _mm(values: Float) -> tuple[float, ...]:
    return tuple(round(float(v), 4) for v in values)
