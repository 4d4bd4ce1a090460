"""Synthetic patients of known density on small grids, for the tests of this folder."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy.spatial.transform import Rotation

from vfscreen.density.measure import Body
from vfscreen.geometry.volume import Volume
from vfscreen.schema.names import ContrastPhase
from vfscreen.synthesis.anatomy import PatientSpec, draw_patient, vertebra_truth
from vfscreen.synthesis.phantom import Scene, body_centres

LEVELS = ("T10", "T11", "T12", "L1", "L2", "L3")


@lru_cache(maxsize=8)
def scene(seed: int = 3, contrast: ContrastPhase = ContrastPhase.NON_CONTRAST, noise_hu: float = 20.0) -> Scene:
    """A patient without fractures."""
    spec = draw_patient(np.random.default_rng(seed), [], variant="none", contrast=contrast)
    return Scene.of(replace(spec, noise_hu=noise_hu))


def grid(
    spec: PatientSpec,
    top: str = "T10",
    bottom: str = "L3",
    *,
    width_mm: float = 100.0,
    depth_mm: float = 100.0,
    spacing_mm: tuple[float, float, float] = (0.9, 0.9, 1.5),
    turn: Rotation | None = None,
    tilt_deg: float = 0.0,
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Affine and (I, J, K) of a stack about a piece of the column. turn: of the grid about the piece's middle.
    tilt_deg: shear of a tilted gantry."""
    centres = body_centres(spec)
    middle = 0.5 * (centres[top] + centres[bottom])
    half_height = 0.5 * (centres[top][2] - centres[bottom][2]) + 22.0
    axes = np.eye(3)
    axes[:, 1] = [0.0, np.cos(np.radians(tilt_deg)), np.sin(np.radians(tilt_deg))]
    if turn is not None:
        axes = turn.as_matrix() @ axes
    count = np.ceil(np.array([width_mm, depth_mm, 2 * half_height]) / spacing_mm).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array(spacing_mm)
    affine[:3, 3] = middle - affine[:3, :3] @ ((count - 1) / 2.0)
    return affine, (int(count[0]), int(count[1]), int(count[2]))


def bodies(spec: PatientSpec, volume: Volume, levels: tuple[str, ...] = LEVELS) -> list[Body]:
    """What the chain would hand over, had it found the true points; cut vertebrae have none."""
    found = []
    for truth in vertebra_truth(spec):
        if truth.level in levels:
            whole = volume.contains(truth.keypoints_lps_mm, 0.5).all()
            found.append(Body(truth.level, truth.keypoints_lps_mm if whole else None, truth.genant_grade_raw))
    return found
