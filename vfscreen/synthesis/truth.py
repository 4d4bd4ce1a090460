"""The ground truth that lies beside a demo archive, as plain values and JSON.

Belongs here: what is known of files, series and vertebrae, and its reading and writing. Does not belong here: making
the archive (`demo_archive`), comparing it with what a sweep found (`scoring`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vfscreen.geometry.volume import Volume
from vfscreen.schema.names import KEYPOINTS, DeformityType
from vfscreen.synthesis.anatomy import Float, PatientSpec, VertebraTruth, vertebra_truth

WHOLE_MARGIN_MM = 0.5
"""A vertebra whose six points are all this far inside the volume is whole."""


@dataclass(frozen=True)
class VisibleVertebra:
    """A vertebra that is at least partly in a series. Positions LPS mm of the series.

    truncated: some of the six points lie outside; then it must not be graded. `genant_grade_raw` is of the raw loss.
    trabecular_hu: spongy bone in this scan, without noise; trabecular_hu_native: at 120 kV without contrast.

    On a film there are no LPS positions and no attenuation: keypoints_lps_mm is empty, centre_px and keypoints_px are
    [x, y] of the stored pixels of the film SOPInstanceUID. heights_mm, loss and grade are the patient's own.
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
    SOPInstanceUID: str | None = None
    centre_px: tuple[float, ...] = ()
    keypoints_px: dict[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class FilmTruth:
    """What must become of a film. view: what the pixels show. patient_spacing_mm: of a pixel in the column's plane;
    null where the header does not say it."""

    SOPInstanceUID: str
    view: str
    expected_state: str
    expected_reason: str | None
    rows: int
    columns: int
    anterior_side: str | None
    patient_spacing_mm: float | None


@dataclass(frozen=True)
class SeriesTruth:
    """What must become of a series. expected_reason is null for a screened one. contrast_phase: what its pixels show,
    whatever the header says; null where it shows no vertebra, and on films. films: of a radiograph series, in the order
    of their numbers."""

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
    modality: str = "CT"
    films: tuple[FilmTruth, ...] = ()


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
            series = [_series(s) for s in raw["series"]]
            return cls(**{**raw, "series": tuple(series)})
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a truth file of a demo archive: {error}") from error


def _series(raw: Mapping[str, Any]) -> SeriesTruth:
    vertebrae = tuple(_vertebra(v) for v in raw["vertebrae"])
    films = tuple(FilmTruth(**f) for f in raw["films"])
    return SeriesTruth(**{**raw, "vertebrae": vertebrae, "films": films})


def _vertebra(raw: Mapping[str, object]) -> VisibleVertebra:
    found = dict(raw)
    for name in ("keypoints_lps_mm", "keypoints_px"):
        points = found[name]
        if not isinstance(points, dict):
            raise TypeError(f"{name} must be an object")
        found[name] = {key: tuple(p) for key, p in points.items()}
    for name in ("centre_lps_mm", "heights_mm", "centre_px"):
        found[name] = tuple(found[name])  # type: ignore[arg-type]  # read from JSON
    return VisibleVertebra(**found)  # type: ignore[arg-type]  # read from JSON


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


def vertebra_on_film(
    truth: VertebraTruth, points_px: Float, whole: bool, sop_instance_uid: str, shape: tuple[int, int]
) -> VisibleVertebra:
    """A vertebra of a patient as a film of `shape` (rows, columns) shows it. points_px: (6, 2) (row, column) of the
    stored picture; the centre of one that is cut lies on the picture."""
    xy = np.asarray(points_px)[:, ::-1]
    centre = np.clip(xy.mean(axis=0), 0.0, np.array(shape[::-1]) - 1.0)
    return VisibleVertebra(
        vertebra_level=truth.level,
        truncated=not whole,
        centre_lps_mm=(),
        keypoints_lps_mm={},
        heights_mm=_mm(truth.heights_mm),
        height_loss_ratio_raw=truth.height_loss_ratio_raw,
        genant_grade_raw=truth.genant_grade_raw,
        deformity_type=DeformityType(truth.deformity_type).value,
        SOPInstanceUID=sop_instance_uid,
        centre_px=_mm(centre),
        keypoints_px={name: _mm(p) for name, p in zip(KEYPOINTS, xy, strict=True)},
    )


def _mm(values: Float) -> tuple[float, ...]:
    return tuple(round(float(v), 4) for v in values)
