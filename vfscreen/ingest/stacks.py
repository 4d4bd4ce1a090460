"""The geometry of a stack of slices, from the slices themselves; and the leading stack of a mixed series.

Belongs here: positions projected on the normal, spacing, gaps, tilt, the affine; taking a series apart into stacks.
Does not belong here: whether a stack may be screened (`series`), pixels (`decode`).

Nothing depends on the order in which slices are given. Coordinates are LPS mm; (i, j, k) are column, row, slice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Row = Mapping[str, Any]

_ORIENTATION_TOLERANCE = 1e-3  # of a direction cosine: 0.06 degrees
_SPACING_TOLERANCE_MM = 1e-3
_ORTHONORMAL_TOLERANCE = 0.01
SAME_POSITION_MM = 1e-2
_GAP = 1.5  # distances above this many medians miss at least one slice


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice: a file, or a frame of a multi-frame file. row: its FILES row. Geometry is None where it is missing."""

    row: Row
    frame: int
    position_mm: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing_mm: tuple[float, ...] | None
    slope: float | None
    intercept: float | None
    image_type: str | None
    group: tuple[str, str] = ("", "")  # StackID, TemporalPositionIndex of a frame

    @property
    def has_geometry(self) -> bool:
        """Whether position, spacing and two orthogonal unit directions are there."""
        if self.position_mm is None or self.orientation is None or self.spacing_mm is None:
            return False
        directions = np.array(self.orientation).reshape(2, 3)
        is_orthonormal = bool(np.abs(directions @ directions.T - np.eye(2)).max() < _ORTHONORMAL_TOLERANCE)
        return is_orthonormal and min(self.spacing_mm) > 0

    @property
    def directions(self) -> tuple[Float, Float]:
        """Unit vectors along a row (i grows) and down a column (j grows), (3,) each."""
        if self.orientation is None:
            raise ValueError("a slice without orientation")
        row, column = np.array(self.orientation, dtype=np.float64).reshape(2, 3)
        return row, column

    @property
    def normal(self) -> Float:
        """Unit normal: row direction x column direction."""
        normal = np.cross(*self.directions)
        return np.asarray(normal / np.linalg.norm(normal))


def slices_of(rows: Iterable[Row]) -> list[Slice]:
    """The slices of FILES rows, sorted so that the order of `rows` does not matter."""
    found: list[Slice] = []
    for row in rows:
        if row.get("frames_json"):
            for number, frame in enumerate(json.loads(row["frames_json"])):
                found.append(
                    Slice(
                        row,
                        number,
                        _tuple(frame["position"]),
                        _tuple(frame["orientation"]),
                        _tuple(frame["spacing"]),
                        frame["slope"] if frame["slope"] is not None else row.get("RescaleSlope"),
                        frame["intercept"] if frame["intercept"] is not None else row.get("RescaleIntercept"),
                        frame["image_type"] or row.get("ImageType"),
                        (str(frame["stack"] or ""), str(frame["time"] or "")),
                    )
                )
        else:
            found.append(
                Slice(
                    row,
                    0,
                    _tuple(row.get("ImagePositionPatient_mm")),
                    _tuple(row.get("ImageOrientationPatient")),
                    _tuple(row.get("PixelSpacing_mm")),
                    row.get("RescaleSlope"),
                    row.get("RescaleIntercept"),
                    row.get("ImageType"),
                )
            )
    return sorted(found, key=lambda s: (s.row["SOPInstanceUID"] or "", s.row["path"], s.row["member"], s.frame))


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices of one size, pixel spacing and orientation, sorted by position along their normal. At least one."""

    slices: tuple[Slice, ...]

    @classmethod
    def of(cls, slices: Sequence[Slice]) -> Stack:
        """Sorts `slices`, which share an orientation and have geometry."""
        normal = slices[0].normal

        def place(item: Slice) -> tuple[Any, ...]:
            return round(float(np.dot(item.position_mm or (), normal)), 3), *_order(item)

        return cls(tuple(sorted(slices, key=place)))

    @cached_property
    def positions_mm(self) -> Float:
        """(K, 3) centres of the first voxel of each slice."""
        return np.array([s.position_mm for s in self.slices], dtype=np.float64)

    @cached_property
    def normal(self) -> Float:
        """Unit normal: row direction x column direction."""
        return self.slices[0].normal

    @cached_property
    def distances_mm(self) -> Float:
        """(K - 1,) distances of neighbouring slices along the normal, >= 0."""
        return np.asarray(np.diff(self.positions_mm @ self.normal))

    @cached_property
    def spacing_mm(self) -> float | None:
        """Median distance of slices; None for a single slice."""
        apart = self.distances_mm[self.distances_mm > SAME_POSITION_MM]
        return float(np.median(apart)) if apart.size else None

    @property
    def deviation_mm(self) -> float | None:
        """Largest deviation of one distance from the median."""
        return None if self.spacing_mm is None else float(np.abs(self.distances_mm - self.spacing_mm).max())

    @property
    def drift_mm(self) -> float:
        """Largest distance of a slice's first voxel from the evenly spaced line the affine puts it on."""
        count = len(self.slices)
        if count < 2:
            return 0.0
        line = self.positions_mm[0] + np.arange(count)[:, None] * self.step_mm
        return float(np.linalg.norm(self.positions_mm - line, axis=1).max())

    @property
    def missing_count(self) -> int:
        """Slices that are missing in gaps."""
        if self.spacing_mm is None:
            return 0
        wide = self.distances_mm[self.distances_mm > _GAP * self.spacing_mm]
        return int(np.round(wide / self.spacing_mm - 1).sum())

    @property
    def duplicate_count(self) -> int:
        """Slices at the position of the one before."""
        return int((self.distances_mm <= SAME_POSITION_MM).sum())

    @cached_property
    def step_mm(self) -> Float:
        """(3,) mean step from slice to slice; the normal where there is one slice."""
        count = len(self.slices)
        if count < 2 or self.spacing_mm is None:
            return self.normal
        return np.asarray((self.positions_mm[-1] - self.positions_mm[0]) / (count - 1))

    @property
    def tilt_deg(self) -> float:
        """Angle between the stacking direction and the slice normal: the gantry tilt."""
        length = np.linalg.norm(self.step_mm)
        cosine = abs(float(self.step_mm @ self.normal)) / length if length else 1.0
        return float(np.degrees(np.arccos(min(1.0, cosine))))

    @property
    def size(self) -> tuple[int, int]:
        """(Rows, Columns)."""
        return int(self.slices[0].row["Rows"]), int(self.slices[0].row["Columns"])

    @property
    def pixel_spacing_mm(self) -> tuple[float, float]:
        """Between rows, between columns."""
        between_rows, between_columns = self.slices[0].spacing_mm or (0.0, 0.0)
        return between_rows, between_columns

    @property
    def coverage_mm(self) -> float:
        """Length of the stack along its normal, half a slice beyond the outermost centres."""
        return float(self.distances_mm.sum() + (self.spacing_mm or 0.0))

    @cached_property
    def affine_lps(self) -> Float:
        """(4, 4): (i, j, k, 1) -> LPS mm. A gantry tilt is the shear of the third column, never resampled away."""
        row_direction, column_direction = self.slices[0].directions
        affine = np.eye(4)
        affine[:3, 0] = row_direction * self.pixel_spacing_mm[1]
        affine[:3, 1] = column_direction * self.pixel_spacing_mm[0]
        affine[:3, 2] = self.step_mm
        affine[:3, 3] = self.positions_mm[0]
        return affine

    @property
    def z_range_mm(self) -> tuple[float, float]:
        """Lowest and highest z of a voxel centre."""
        rows, columns = self.size
        corners = np.array([[i, j] for i in (0, columns - 1) for j in (0, rows - 1)], dtype=np.float64)
        offsets = corners @ self.affine_lps[2, :2]
        z = self.positions_mm[:, 2]
        return float(z.min() + offsets.min()), float(z.max() + offsets.max())

    def is_even(self, tolerance_mm: float) -> bool:
        """Whether all distances agree within the tolerance, or 2 % of their median where that is more."""
        if self.spacing_mm is None or self.deviation_mm is None:
            return False
        return self.deviation_mm <= max(tolerance_mm, 0.02 * self.spacing_mm) + 1e-9


@dataclass(frozen=True, eq=False)
class Leading:
    """The stack that speaks for a series, and how many slices it leaves out: of other acquisitions or phases
    (alternative_count) and of another size, spacing, orientation or kind (other_count)."""

    stack: Stack
    alternative_count: int
    other_count: int


def leading_stack(slices: Sequence[Slice], tolerance_mm: float = 0.1) -> Leading | None:
    """The stack of most slices; None where no slice has geometry.

    Slices are first parted by what cannot be stacked. Where the leading part then has gaps or positions twice, it is
    parted by acquisition, phase or kind of image, if that gives an even stack.
    """
    parts = _parts([s for s in slices if s.has_geometry])
    if not parts:
        return None
    part = max(parts, key=_rank)
    best = Stack.of(part)
    if not _sound(best, tolerance_mm):
        for key in _SPLITS:
            groups: dict[str, list[Slice]] = {}
            for item in part:
                groups.setdefault(key(item), []).append(item)
            stacks = [Stack.of(g) for g in groups.values() if len(g) > 1]
            sound = [s for s in stacks if _sound(s, tolerance_mm)]
            # phases share positions; else a piece must hold most of what there is to stand for the series
            wanted = len(part) / 2 if best.duplicate_count == 0 else 2
            sound = [s for s in sound if len(s.slices) >= wanted]
            if sound:
                best = max(sound, key=lambda s: _rank(s.slices))
                break
    return Leading(best, len(part) - len(best.slices), len(slices) - len(part))


def without_copies(rows: Sequence[Row]) -> tuple[list[Row], int]:
    """Rows with each SOPInstanceUID once (the first path of several), and how many were left out."""
    kept: dict[str, Row] = {}
    for row in sorted(rows, key=lambda r: (r["path"], r["member"])):
        kept.setdefault(row["SOPInstanceUID"] or f"{row['path']}\x00{row['member']}", row)
    return list(kept.values()), len(rows) - len(kept)


def is_localizer(image_type: str | None) -> bool:
    return "LOCALIZER" in (image_type or "").upper().split("\\")


def _sound(stack: Stack, tolerance_mm: float) -> bool:
    return stack.duplicate_count == 0 and stack.is_even(tolerance_mm)


_SPLITS: tuple[Callable[[Slice], str], ...] = (
    lambda s: "\x00".join(s.group),
    lambda s: str(s.row.get("AcquisitionNumber")),
    lambda s: str(s.image_type),
    lambda s: str(s.row.get("ConvolutionKernel")),
    lambda s: f"{s.row.get('AcquisitionNumber')}\x00{s.image_type}\x00{s.row.get('ConvolutionKernel')}",
)


def _parts(slices: Sequence[Slice]) -> list[list[Slice]]:
    parts: list[list[Slice]] = []
    for item in slices:
        for part in parts:
            if _stackable(part[0], item):
                part.append(item)
                break
        else:
            parts.append([item])
    return parts


def _stackable(a: Slice, b: Slice) -> bool:
    names = ("SOPClassUID", "Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "FrameOfReferenceUID")
    if any(a.row.get(n) != b.row.get(n) for n in names) or is_localizer(a.image_type) != is_localizer(b.image_type):
        return False
    return _near(a.orientation, b.orientation, _ORIENTATION_TOLERANCE) and _near(
        a.spacing_mm, b.spacing_mm, _SPACING_TOLERANCE_MM
    )


def _near(a: Sequence[float] | None, b: Sequence[float] | None, tolerance: float) -> bool:
    return a is not None and b is not None and all(abs(x - y) <= tolerance for x, y in zip(a, b, strict=True))


def _rank(slices: Sequence[Slice]) -> tuple[Any, ...]:
    """Larger is better: most slices; of equals the lowest acquisition and instance UID."""
    first = min(_order(s) for s in slices)
    return (not is_localizer(slices[0].image_type), len(slices), _Reversed(first))


@dataclass(frozen=True)
class _Reversed:
    value: tuple[Any, ...]

    def __lt__(self, other: _Reversed) -> bool:
        return self.value > other.value

    def __gt__(self, other: _Reversed) -> bool:
        return self.value < other.value


def _order(item: Slice) -> tuple[Any, ...]:
    number = item.row.get("AcquisitionNumber")
    return (2**31 if number is None else number, item.row.get("SOPInstanceUID") or "", item.row["path"], item.frame)


def _tuple(values: Sequence[float] | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(values)
