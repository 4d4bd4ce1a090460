"""Measure a detector on simulated fractures of real anatomy, where the truth is exact.

Belongs here: deformed windows of a read spine -> matches. Does not belong here: the deformation (vertebra_data, warps).
The warps are the training's own family: these numbers flatter, and say so wherever they are printed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vfscreen.models.ports import VertebraDetector
from vfscreen.training.readings import ReadVertebra
from vfscreen.training.slab_cases import SlabCase
from vfscreen.training.vertebra_data import SampleSettings, draw_sample
from vfscreen.training.vertebra_evaluate import Match, VolumeResult, match_detections

Float = NDArray[np.float64]

SIMULATION = SampleSettings(fracture_share=0.35, shape_share=0.0, crop_share=0.0, hard=0.5)


def simulated_result(case: SlabCase, detector: VertebraDetector, count: int, seed: int = 0) -> VolumeResult:
    """`count` deformed windows of a case, matched; positions are mm in the slab, as (0, column, -row)."""
    spec = detector.slab_spec
    matches: list[Match] = []
    for n in range(count):
        sample = draw_sample(case, spec, SIMULATION, np.random.default_rng([91, seed, n]))
        rows = sample.hu.shape[1]
        truths = [
            ReadVertebra(None, False, 1.0, _plane(points, spec.pixel_mm))
            for points in sample.points[sample.weight > 0].astype(np.float64)
            if points[:, 0].min() >= 2 and points[:, 0].max() < rows - 2
        ]
        detections = [d for d in detector.detect(sample.hu) if d.score >= 0.5]
        points = [_plane(d.keypoints, spec.pixel_mm) for d in detections]
        found, _ = match_detections(case.name, truths, detections, points)
        matches += found
    return VolumeResult(case.name, tuple(matches), ())


def _plane(pixels: Float, pixel_mm: float) -> Float:
    return np.stack([np.zeros(len(pixels)), pixels[:, 1] * pixel_mm, -pixels[:, 0] * pixel_mm], axis=1)
