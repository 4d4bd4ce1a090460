"""Painting implicit shapes into a voxel grid of any affine, with partial volume.

Belongs here: the grid, ramps, and the primitives (capsule, ellipsoid). Does not belong here: anatomy.
Every shape is evaluated in its own bounding box only. Coordinates are sums of one-dimensional terms, so that
on an axis-aligned grid most arithmetic happens on thin arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Array = NDArray[np.float32]
Box = tuple[slice, slice, slice]
"""Slices along k, j, i."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Voxel grid: affine_lps maps (i, j, k, 1) to LPS mm; shape_kji; blur_mm widens every edge (system resolution)."""

    affine_lps: Float
    shape_kji: tuple[int, int, int]
    blur_mm: float = 0.0

    @cached_property
    def inverse(self) -> Float:
        return np.asarray(np.linalg.inv(self.affine_lps))

    def box(self, low_lps: Float, high_lps: Float) -> Box | None:
        """Voxels that may lie within an LPS box, or None."""
        return next((box for _, box in self.boxes(low_lps[None], high_lps[None])), None)

    def boxes(self, low_lps: Float, high_lps: Float, pad_mm: float = 0.0) -> list[tuple[int, Box]]:
        """For (N, 3) corners of LPS boxes, made larger by `pad_mm`: which of them reach into the grid, and where."""
        if len(low_lps) == 0:
            return []
        matrix = self.inverse[:3, :3]
        middle = 0.5 * (low_lps + high_lps) @ matrix.T + self.inverse[:3, 3]
        reach = (0.5 * (high_lps - low_lps) + pad_mm) @ np.abs(matrix).T
        low = np.maximum(np.ceil(middle - reach), 0).astype(int)
        high = np.minimum(np.floor(middle + reach) + 1, np.asarray(self.shape_kji[::-1])).astype(int)
        return [
            (int(n), (slice(low[n, 2], high[n, 2]), slice(low[n, 1], high[n, 1]), slice(low[n, 0], high[n, 0])))
            for n in np.flatnonzero((low < high).all(axis=1))
        ]

    def linear(self, box: Box, direction: Float, origin: Float) -> Array:
        """dot(direction, position - origin) over a box; broadcastable to its shape, mm."""
        steps = direction @ self.affine_lps[:3, :3]
        constant = float(direction @ (self.affine_lps[:3, 3] - origin))
        total: Array = np.full((1, 1, 1), constant, dtype=np.float32)
        for axis, step in zip((2, 1, 0), steps, strict=True):
            if abs(step) > 1e-9:
                shape = [1, 1, 1]
                shape[axis] = -1
                line = np.arange(box[axis].start, box[axis].stop, dtype=np.float64) * step
                total = total + line.astype(np.float32).reshape(shape)
        return total

    def local(self, box: Box, frame: Float, origin: Float) -> tuple[Array, Array, Array]:
        """Coordinates along the three rows of `frame` from `origin`."""
        return (
            self.linear(box, frame[0], origin),
            self.linear(box, frame[1], origin),
            self.linear(box, frame[2], origin),
        )

    def edge_mm(self, direction: Float) -> float:
        """Width over which an edge with this unit normal is spread: the voxel's extent and the blur together."""
        return float(np.sqrt(np.sum((direction @ self.affine_lps[:3, :3]) ** 2) + self.blur_mm**2))

    @cached_property
    def mean_edge_mm(self) -> float:
        """Edge width for shapes whose normals point everywhere."""
        return float(np.mean([self.edge_mm(d) for d in np.eye(3)]))


def lps(x: float, y: float, z: float) -> Float:
    """A position or offset in LPS mm."""
    return np.array([x, y, z], dtype=np.float64)


def ramp(inside_mm: Array, width_mm: float) -> Array:
    """Share of a voxel that is inside, from the distance to the edge (positive inside)."""
    share = inside_mm * np.float32(1.0 / width_mm)
    share += np.float32(0.5)
    return np.asarray(np.clip(share, 0.0, 1.0, out=share))


def blend(target: Array, share: Array, value: Array | float) -> None:
    """target <- target (1 - share) + value share, in place."""
    target += share * (np.asarray(value, dtype=np.float32) - target)


@dataclass(frozen=True, eq=False)
class Capsule:
    """A round-ended rod from `start` to `end` (3,) LPS mm with radii there.

    metric: (3, 3) rows are axes scaled so that the rod's cross-section is a circle after it; the identity is round.
    """

    start: Float
    end: Float
    radius_start: float
    radius_end: float
    metric: Float

    @property
    def bounds(self) -> tuple[Float, Float]:
        radius = max(self.radius_start, self.radius_end)
        reach = radius * np.linalg.norm(np.linalg.inv(self.metric), axis=1)
        return np.minimum(self.start, self.end) - reach, np.maximum(self.start, self.end) + reach

    def depth(self, grid: Grid, box: Box) -> Array:
        """Distance to the surface, positive inside (mm in the metric)."""
        x, y, z = grid.local(box, self.metric, self.start)
        axis = self.metric @ (self.end - self.start)
        length2 = float(axis @ axis)
        if length2 < 1e-6:
            return np.asarray(np.float32(self.radius_start) - np.sqrt(x * x + y * y + z * z))
        a, b, c = (axis / length2).astype(np.float32)
        t = np.clip(x * a + y * b + z * c, 0.0, 1.0)
        ax, ay, az = axis.astype(np.float32)
        dx, dy, dz = x - t * ax, y - t * ay, z - t * az
        distance = np.sqrt(dx * dx + dy * dy + dz * dz)
        radius = np.float32(self.radius_start) + t * np.float32(self.radius_end - self.radius_start)
        return np.asarray(radius - distance)


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """centre (3,) LPS mm, radii (3,) mm along the rows of `frame`."""

    centre: Float
    radii: Float
    frame: Float

    @property
    def bounds(self) -> tuple[Float, Float]:
        reach = np.sqrt(((self.frame * self.radii[:, None]) ** 2).sum(axis=0))
        return self.centre - reach, self.centre + reach

    def depth(self, grid: Grid, box: Box) -> Array:
        """Radial distance to the surface, positive inside, mm."""
        x, y, z = grid.local(box, self.frame, self.centre)
        a, b, c = (1.0 / self.radii).astype(np.float32)
        rho = np.sqrt((x * a) ** 2 + (y * b) ** 2 + (z * c) ** 2) + np.float32(1e-6)
        return np.asarray(np.sqrt(x * x + y * y + z * z) * (1.0 / rho - 1.0) + np.float32(1e-3) * (rho < 1e-4))


@dataclass(frozen=True, eq=False)
class Plate:
    """A triangle (3, 3) LPS mm thickened by `radius` on both sides, with round rims."""

    corners: Float
    radius: float

    @property
    def bounds(self) -> tuple[Float, Float]:
        return self.corners.min(axis=0) - self.radius, self.corners.max(axis=0) + self.radius

    def depth(self, grid: Grid, box: Box) -> Array:
        """Distance to the surface, positive inside, mm."""
        normal = np.cross(self.corners[1] - self.corners[0], self.corners[2] - self.corners[0])
        normal = normal / np.linalg.norm(normal)
        over: Array = np.abs(grid.linear(box, normal, self.corners[0]))
        within = np.ones((1, 1, 1), dtype=bool)
        rim: Array | None = None
        for n in range(3):
            a, b = self.corners[n], self.corners[(n + 1) % 3]
            within = within & (grid.linear(box, np.cross(normal, b - a), a) >= 0)
            edge = Capsule(a, b, 0.0, 0.0, np.eye(3)).depth(grid, box)
            rim = edge if rim is None else np.maximum(rim, edge)
        assert rim is not None
        return np.asarray(np.float32(self.radius) + np.where(within, -over, rim))


Shape = Capsule | Ellipsoid | Plate


@dataclass(frozen=True, eq=False)
class ShapeList:
    """Shapes with their bounding boxes worked out once; `values` (N,) go with them (HU, say)."""

    shapes: tuple[Shape, ...]
    values: tuple[float, ...]
    low: Float
    high: Float

    @classmethod
    def of(cls, shapes: Iterable[Shape], values: Iterable[float] = ()) -> ShapeList:
        kept = tuple(shapes)
        bounds = np.array([s.bounds for s in kept], dtype=np.float64).reshape(-1, 2, 3)
        return cls(kept, tuple(values), bounds[:, 0], bounds[:, 1])

    def within(self, grid: Grid) -> Iterator[tuple[int, Box, Array]]:
        """Index, box and depth (mm, positive inside) of each shape that reaches into the grid, in order."""
        for n, box in grid.boxes(self.low, self.high, grid.mean_edge_mm):
            yield n, box, self.shapes[n].depth(grid, box)
