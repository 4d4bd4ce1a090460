"""Voxels of the demo archive's CT and MR series: where each lies in the patient, and what it shows.

Belongs here: the grids of series and their rendering. Does not belong here: films (`demo_films`), files
(`demo_archive`), the patient's shapes (`phantom`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.volume import AIR_HU, Volume
from vfscreen.synthesis.anatomy import Float, PatientSpec
from vfscreen.synthesis.demo_plan import SeriesPlan, StudyPlan
from vfscreen.synthesis.grid import lps
from vfscreen.synthesis.phantom import Scene, body_centres
from vfscreen.synthesis.surroundings import trunk_profile


def series_volume(plan: SeriesPlan, study: StudyPlan, spec: PatientSpec, noise_seed: int | None) -> Volume:
    """Pixels of an image series (not of films) in the patient's own coordinates. noise_seed: None leaves all of it
    empty."""
    affine, shape = _grid(plan, study, spec)
    empty = 0 if plan.kind == "mr" else AIR_HU
    if noise_seed is None:
        return Volume(np.full(shape[::-1], empty, np.int16), affine)
    return Volume(_pixels(plan, spec, affine, shape, noise_seed), affine)


def _pixels(
    plan: SeriesPlan, spec: PatientSpec, affine: Float, shape: tuple[int, int, int], noise_seed: int
) -> NDArray[np.int16]:
    """(slices, rows, columns) of the patient on a grid."""
    spec = replace(spec, blur_mm=0.35, noise_hu=2.2 * spec.noise_hu) if plan.sharp else spec
    scene = Scene.of(spec)
    if plan.kind == "localizer":
        return _projection(scene, affine, shape)
    hu = scene.render(affine, shape, np.random.default_rng(noise_seed), table=plan.kind != "mr").hu
    if plan.kind == "mr":
        # fat and fluid bright, bone and air dark: enough to be no CT
        return np.asarray(np.clip(600 - 1.2 * np.abs(hu.astype(np.float32)), 0, 4095), dtype=np.int16)
    return hu


def _grid(plan: SeriesPlan, study: StudyPlan, spec: PatientSpec) -> tuple[Float, tuple[int, int, int]]:
    """Affine in patient coordinates and (columns, rows, slices)."""
    inside = centres_between(spec, study.top, study.bottom)
    top, bottom = inside[0], inside[-1]
    low = bottom[2] - (60.0 if study.bottom == "S" else 4.0)
    length = top[2] + 4.0 - low
    columns, rows = plan.matrix
    sx, sy = plan.pixel_mm
    small = columns * sx < 250
    # whole bodies are centred on the trunk, small fields on the column
    x, y = inside[:, 0].mean(), inside[:, 1].mean() + 20.0
    if not small:
        _, back, _, depth = trunk_profile(spec).at(inside[:, 2].astype(np.float32))
        y = float((back - depth).mean()) + 10.0
    if plan.kind == "localizer":
        return affine_of((2, 0, 0), (0, 0, -2), (0, 1, 0), (x - 200, y, low + length)), (200, round(length / 2), 1)
    if plan.kind == "coronal":
        count = 24
        corner = (x - 160, inside[:, 1].min() - 40.0, low + length)
        return affine_of((1.25, 0, 0), (0, 0, -1.25), (0, plan.slice_mm, 0), corner), (256, round(length / 1.25), count)
    if plan.kind == "mr":
        corner = (x - 36, inside[:, 1].mean() - 150, low + length)
        return affine_of((0, 1, 0), (0, 0, -1), (4.0, 0, 0), corner), (256, round(length), 19)
    slices = int(length // plan.slice_mm) + 1
    tilt = np.radians(plan.tilt_deg)
    row_step = np.array([0.0, np.cos(tilt), np.sin(tilt)]) * sy
    start = np.array([x - 0.5 * columns * sx, y, low]) - 0.5 * rows * row_step
    step, first = plan.slice_mm, start
    if plan.descending:
        first, step = start + lps(0, 0, (slices - 1) * step), -step
    return affine_of((sx, 0, 0), row_step, (0, 0, step), first), (columns, rows, slices)


def affine_of(i: object, j: object, k: object, origin: object) -> Float:
    """(4, 4) of three steps and a corner, each three numbers."""
    affine = np.eye(4)
    for column, value in enumerate((i, j, k, origin)):
        affine[:3, column] = np.asarray(value, dtype=np.float64)
    return affine


def _projection(scene: Scene, affine: Float, shape: tuple[int, int, int]) -> NDArray[np.int16]:
    """A scout: the mean HU along the beam, coarse."""
    deep = affine.copy()
    deep[:3, 2] = [0.0, 10.0, 0.0]
    deep[1, 3] -= 200.0
    body = scene.render(deep, (shape[0], shape[1], 40), None)
    mean = body.hu.astype(np.float32).mean(axis=0, keepdims=True)
    return np.asarray(np.clip(mean * 1.5 + 500, -1024, 3071), dtype=np.int16)


def centres_between(spec: PatientSpec, top: str, bottom: str) -> Float:
    """(N, 3) LPS mm centres of the bodies from one level to another, from the top; the sacrum is "S"."""
    centres = body_centres(spec)
    names = [*(v.level for v in spec.vertebrae), "S"]
    return np.stack([centres[n] for n in names[names.index(top) : names.index(bottom) + 1]])
