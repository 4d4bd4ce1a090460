"""A column of beads: truth that survives resampling, and oracle models that read it back from the pixels.

Each vertebra is six small bright beads at its key points in soft tissue. The volume is analytic, so any voxel grid
(mirrored, oblique, sheared) samples the same patient exactly. The oracle detector finds the beads in the slab it is
given, nothing else, so what comes out of the chain proves its geometry; the oracle locator knows the column's course.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.ndimage import maximum_filter
from scipy.spatial.transform import Rotation

from vfscreen.geometry.curve import Centreline
from vfscreen.geometry.volume import AIR_HU, Volume
from vfscreen.models.ports import COLUMN_CLASSES, Detection, LocatedColumn, ModelSet
from vfscreen.schema.names import LEVELS
from vfscreen.spine.landmarks import RibReading
from vfscreen.spine.priors import STATES, kind_share
from vfscreen.spine.straighten import SlabSpec

TISSUE_HU = 40.0
BEAD_HU = 1500.0
BEAD_SD_MM = 2.0


@dataclass(frozen=True, eq=False)
class Patient:
    """Truth: levels from superior to inferior, key points (n, 6, 3) and centres (n, 3) in LPS mm, and the column's
    course."""

    levels: tuple[str, ...]
    keypoints: np.ndarray
    centreline: np.ndarray

    @property
    def centres(self) -> np.ndarray:
        return np.asarray(self.keypoints.mean(axis=1))

    def moved(self, rotation: Rotation, shift: Sequence[float]) -> Patient:
        """The same patient lying otherwise."""
        return Patient(
            self.levels,
            rotation.apply(self.keypoints.reshape(-1, 3)).reshape(-1, 6, 3) + shift,
            rotation.apply(self.centreline) + shift,
        )

    def mirrored(self) -> Patient:
        """Left and right exchanged."""
        mirror = np.array([-1.0, 1.0, 1.0])
        return Patient(self.levels, self.keypoints * mirror, self.centreline * mirror)


def make_patient(
    levels: Sequence[str] = ("T10", "T11", "T12", "L1", "L2", "L3"),
    heights_mm: Sequence[tuple[float, float, float]] | None = None,
    disc_mm: float = 8.0,
) -> Patient:
    """A column with a lordotic curve and a slight scoliosis. heights_mm: anterior, middle, posterior of each body."""
    if heights_mm is None:
        heights_mm = [(22.0 + i, 21.5 + i, 23.0 + i) for i in range(len(levels))]
    length = sum(max(h) for h in heights_mm) + disc_mm * len(heights_mm)
    z = np.linspace(0.0, -length, 200)
    t = z / length
    bend = (length / 210.0) ** 2  # the same curvature, and so the same heights, however short the column
    curve = np.stack([10.0 + 6.0 * bend * t**2, -20.0 + 30.0 * bend * (t + 0.5) ** 2, z + 100.0], axis=1)
    centreline = Centreline.from_points(curve)
    points, s = [], disc_mm / 2
    for heights in heights_mm:
        middle = s + max(heights) / 2
        body = [
            (middle + side * height / 2, p, 0.0)
            for height, p in zip(heights, (-15.0, 0.0, 15.0), strict=True)
            for side in (-1, 1)
        ]
        points.append(centreline.to_lps(np.array(body)))
        s += max(heights) + disc_mm
    return Patient(tuple(levels), np.stack(points), centreline.points_lps_mm)


def affine_around(
    patient: Patient,
    axes: np.ndarray | None = None,
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.25),
    margin_mm: float = 30.0,
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Affine and (I, J, K) of a grid holding the patient. axes: (3, 3), columns are the directions of i, j, k in LPS;
    they need not be orthogonal (shear)."""
    directions = np.eye(3) if axes is None else axes
    matrix = directions * np.array(spacing_mm)
    box = np.concatenate([patient.keypoints.reshape(-1, 3), patient.centreline])
    ijk = box @ np.linalg.inv(matrix).T
    steps = margin_mm / np.array(spacing_mm)
    low, high = ijk.min(axis=0) - steps, ijk.max(axis=0) + steps
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = matrix @ low
    i, j, k = (int(n) for n in np.ceil(high - low))
    return affine, (i, j, k)


def render(patient: Patient, affine: np.ndarray, shape_ijk: tuple[int, int, int]) -> Volume:
    """Sample the analytic patient on a grid."""
    i, j, k = shape_ijk
    hu = np.full((k, j, i), TISSUE_HU)
    inverse = np.linalg.inv(affine)
    reach = np.ceil(4 * BEAD_SD_MM * np.linalg.norm(inverse[:3, :3], axis=1)).astype(int) + 1
    for bead in patient.keypoints.reshape(-1, 3):
        centre = np.round(inverse[:3, :3] @ bead + inverse[:3, 3]).astype(int)
        low, high = np.maximum(centre - reach, 0), np.minimum(centre + reach + 1, shape_ijk)
        if (low >= high).any():
            continue
        grid = np.stack(np.meshgrid(*[np.arange(a, b) for a, b in zip(low, high, strict=True)], indexing="ij"), -1)
        lps = grid @ affine[:3, :3].T + affine[:3, 3]
        glow = BEAD_HU * np.exp(-0.5 * np.sum((lps - bead) ** 2, axis=-1) / BEAD_SD_MM**2)
        hu[low[2] : high[2], low[1] : high[1], low[0] : high[0]] += glow.transpose(2, 1, 0)
    return Volume(np.round(np.clip(hu, AIR_HU, 3000)).astype(np.int16), affine)


@dataclass
class OracleLocator:
    """Knows the course of the column; sees of it what lies within the volume. wide: what it says of levels, or None."""

    patient: Patient
    wide_view: bool = True
    offset_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def locate(self, volume: Volume) -> LocatedColumn:
        points = self.patient.centreline[::4]
        points = points[volume.contains(points)]
        votes = None
        if self.wide_view:
            votes = np.full((len(points), len(COLUMN_CLASSES)), -6.0)
            nearest = np.linalg.norm(points[:, None] - self.patient.centres[None], axis=2).argmin(axis=1)
            for row, vertebra in enumerate(nearest):
                votes[row, COLUMN_CLASSES.index(self.patient.levels[vertebra])] = 0.0
        return LocatedColumn(points + np.array(self.offset_mm), np.ones(len(points)), votes)


@dataclass
class OracleDetector:
    """Finds beads on the middle plane: three files of them (anterior, middle, posterior), each superior, inferior,
    ..."""

    levels: tuple[str, ...]
    sd_mm: float = 0.2
    fracture_score: float = 0.5
    slab_spec: SlabSpec = field(default_factory=SlabSpec)

    def detect(self, hu: np.ndarray) -> list[Detection]:
        plane = np.maximum(hu[len(hu) // 2].astype(np.float64) - TISSUE_HU, 1.0)
        peaks = np.argwhere((plane == maximum_filter(plane, 5)) & (plane > 0.3 * BEAD_HU))
        beads = np.array([refined_peak(plane, r, c) for r, c in peaks]).reshape(-1, 2)
        if not len(beads):
            return []
        kind = column_class(beads[:, 1])
        files = [beads[kind == n][np.argsort(beads[kind == n][:, 0])] for n in range(3)]
        count = min(len(f) // 2 for f in files)
        detections = []
        for i in range(count):
            points = np.concatenate([f[2 * i : 2 * i + 2] for f in files])
            scores = np.full(len(LEVELS), -8.0)
            if i < len(self.levels):
                scores[LEVELS.index(self.levels[i])] = 0.0
            sd = np.full((6, 2), self.sd_mm)
            detections.append(Detection(0.95, points.mean(axis=0), points, sd, scores, self.fracture_score))
        return detections


@dataclass
class OracleRibReader:
    """Knows what the i-th vertebra of the column carries, and checks that it is asked where there is tissue."""

    levels: tuple[str, ...]
    slab_spec: SlabSpec = field(default_factory=lambda: SlabSpec(3.0, 30.0, 54.0, 42.0, (-1.5, 1.5)))

    def read(self, hu: np.ndarray, centre_rows: np.ndarray) -> RibReading:
        column = round(self.slab_spec.anterior_mm / self.slab_spec.pixel_mm)
        assert (hu[:, np.rint(centre_rows).astype(int), column] > AIR_HU).all()
        assert (np.diff(centre_rows) > 0).all()
        looks = np.log(np.array([kind_share()[STATES.index(level)] for level in self.levels]) + 1e-9)
        last = np.array([[0.0, -8.0]] * (len(self.levels) - 1) + [[-8.0, 0.0] if "L5" in self.levels[-1:] else [0, -8]])
        return RibReading(looks[: len(centre_rows)], last[: len(centre_rows)])


def column_class(columns: np.ndarray) -> np.ndarray:
    """0 anterior, 1 middle, 2 posterior, by the two widest gaps between sorted columns."""
    order = np.sort(columns)
    cuts = np.sort(np.argsort(np.diff(order))[-2:])
    return np.asarray(np.searchsorted(order[cuts], columns, side="left"))


def refined_peak(plane: np.ndarray, row: int, column: int) -> tuple[float, float]:
    """Peak of a Gaussian from its logarithm, a parabola."""
    position = []
    for axis, at in ((0, row), (1, column)):
        values = []
        for step in (-1, 0, 1):
            r, c = (row + step, column) if axis == 0 else (row, column + step)
            values.append(np.log(plane[min(max(r, 0), plane.shape[0] - 1), min(max(c, 0), plane.shape[1] - 1)]))
        curvature = values[0] - 2 * values[1] + values[2]
        position.append(at + (0.0 if abs(curvature) < 1e-9 else 0.5 * (values[0] - values[2]) / curvature))
    return position[0], position[1]


def oracle_models(patient: Patient, **detector: Any) -> ModelSet:
    """Models that know this patient."""
    return ModelSet(
        "oracle",
        OracleLocator(patient),
        OracleDetector(patient.levels, **detector),
        ribs=OracleRibReader(patient.levels),
    )
