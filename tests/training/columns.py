"""A column of box vertebrae with known points, for the tests of training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.curve import Centreline
from vfscreen.geometry.volume import Volume
from vfscreen.training.readings import ReadVertebra

Float = NDArray[np.float64]

HEIGHT, DISC, DEPTH, WIDTH = 24.0, 8.0, 30.0, 40.0
LEVEL_NAMES = ("L1", "L2", "L3", "L4")


def centres() -> Float:
    """(4, 3) LPS mm, superior to inferior."""
    return np.array([[2.0, 5.0, 120.0 - n * (HEIGHT + DISC)] for n in range(len(LEVEL_NAMES))])


def vertebrae(confidence: float = 0.8) -> tuple[ReadVertebra, ...]:
    found = []
    for level, centre in zip(LEVEL_NAMES, centres(), strict=True):
        points = [centre + np.array([0.0, a * DEPTH / 2, s * HEIGHT / 2]) for a in (-1, 0, 1) for s in (1, -1)]
        found.append(ReadVertebra(level, True, confidence, np.array(points)))
    return tuple(found)


def centreline() -> Centreline:
    return Centreline.from_points(np.array([[2.0, 5.0, 150.0], [2.0, 5.0, -10.0]]))


def grid(spacing_mm: float = 1.0) -> tuple[Float, tuple[int, int, int]]:
    """Affine and shape (k, j, i) of a volume around the column."""
    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    affine[:3, 3] = [-40.0, -70.0, -30.0]
    return affine, (round(210 / spacing_mm), round(150 / spacing_mm), round(84 / spacing_mm))


def label_map(spacing_mm: float = 1.0) -> Volume:
    """VerSe labels: a body and, behind a canal, a spinous process for each vertebra."""
    affine, shape = grid(spacing_mm)
    volume = Volume(np.zeros(shape, np.int16), affine)
    k, j, i = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    lps = volume.to_lps(np.stack([i, j, k], axis=-1).astype(np.float64))
    for n, centre in enumerate(centres()):
        x, y, z = np.moveaxis(np.abs(lps - centre), -1, 0)
        body = (x <= WIDTH / 2) & (y <= DEPTH / 2) & (z <= HEIGHT / 2)
        behind = lps[..., 1] - centre[1]
        process = (x <= 3) & (behind > 32) & (behind < 55) & (z <= 7)
        volume.hu[body | process] = 20 + n
    return volume


def ct() -> Volume:
    """Bone 500 HU in soft tissue 50 HU."""
    labels = label_map()
    return Volume(np.where(labels.hu > 0, np.int16(500), np.int16(50)), labels.affine_lps)
