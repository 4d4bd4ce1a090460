"""Measure a detector on simulated fractures of real anatomy, where the truth is exact.

Belongs here: deformed windows of a read spine as volumes -> matches. Does not belong here: the deformation
(vertebra_data, warps). The warps are the vertebra network's own family, and another one than the endplate network's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.curve import Centreline
from vfscreen.geometry.volume import Volume
from vfscreen.models.ports import EndplateReader, VertebraDetector
from vfscreen.spine.straighten import SlabSpec
from vfscreen.training.readings import ReadVertebra
from vfscreen.training.slab_cases import SlabCase
from vfscreen.training.vertebra_data import ROWS, Sample, SampleSettings, draw_sample
from vfscreen.training.vertebra_evaluate import VolumeResult, evaluate_volume

Float = NDArray[np.float64]

SIMULATION = SampleSettings(fracture_share=0.35, shape_share=0.0, crop_share=0.0, hard=0.5)
FINE = SlabSpec(pixel_mm=0.5, plane_offsets_mm=tuple(float(v) for v in np.arange(-9.0, 9.1, 1.5)))
"""Windows are drawn as fine as the cases are, so that every network samples them as it would a CT."""


def simulated_result(
    case: SlabCase, detector: VertebraDetector, count: int, reader: EndplateReader | None = None, seed: int = 0
) -> VolumeResult:
    """`count` deformed windows of a case, each screened as a volume and matched, as one result."""
    windows = simulated_windows(case, detector, count, reader, seed)
    return VolumeResult(
        case.name, tuple(m for w in windows for m in w.matches), tuple(s for w in windows for s in w.extra_scores)
    )


def simulated_windows(
    case: SlabCase, detector: VertebraDetector, count: int, reader: EndplateReader | None = None, seed: int = 0
) -> list[VolumeResult]:
    """Each of `count` deformed windows of a case as a patient of its own; those without a whole vertebra left out."""
    results: list[VolumeResult] = []
    for n in range(count):
        sample = draw_sample(case, FINE, SIMULATION, np.random.default_rng([91, seed, n]), rows=2 * ROWS)
        volume, truths = window_volume(sample)
        if not truths:
            continue
        # the window's middle column is the centreline it was cut along
        z = volume.to_lps(np.array([[0.0, 0.0, 0.0], [0.0, 2 * ROWS - 1.0, 0.0]]))[:, 2]
        centreline = Centreline.from_points(np.array([[0.0, 0.0, z[0] - 24.0], [0.0, 0.0, z[1] + 24.0]]))
        results.append(evaluate_volume(case.name, volume, centreline, truths, detector, reader))
    return results


def window_volume(sample: Sample) -> tuple[Volume, list[ReadVertebra]]:
    """A window on FINE as a volume in which the column stands upright, and its vertebrae that are wholly in view."""
    affine = np.eye(4)
    affine[:3, 0] = [0.0, FINE.pixel_mm, 0.0]
    affine[:3, 1] = [0.0, 0.0, -FINE.pixel_mm]
    affine[:3, 2] = [FINE.plane_offsets_mm[1] - FINE.plane_offsets_mm[0], 0.0, 0.0]
    affine[:3, 3] = [FINE.plane_offsets_mm[0], -FINE.anterior_mm, 0.0]
    volume = Volume(np.clip(np.rint(sample.hu), -1024, 3071).astype(np.int16), affine)
    middle = FINE.plane_offsets_mm.index(0.0)
    truths = [
        ReadVertebra(None, False, 1.0, volume.to_lps(np.insert(points[:, ::-1].astype(np.float64), 2, middle, axis=1)))
        for points in sample.points[sample.weight > 0]
        if points[:, 0].min() >= 4 and points[:, 0].max() < sample.hu.shape[1] - 4
    ]
    return volume, truths
