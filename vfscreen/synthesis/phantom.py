"""Render a synthetic patient onto any grid: `PatientSpec` -> `Volume`.

Belongs here: the order of painting and HU composition. Does not belong here: the patient's parameters (`anatomy`),
shapes (`bones`, `surroundings`), DICOM (`dicom_writer`).

Shapes are implicit and every edge is spread over the voxel, so that a patient looks the same on a 4 mm whole-body
grid, a 1 mm crop of the spine or a sheared stack. Noise is the only thing drawn here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter1d

from vfscreen.geometry.volume import AIR_HU, Volume
from vfscreen.synthesis.anatomy import Float, PatientSpec, VertebraSpec, VertebraTruth, draw_patient, vertebra_truth
from vfscreen.synthesis.bones import (
    body_box,
    body_shares,
    disc_share,
    pelvis,
    posterior_elements,
    ribs,
    shoulder_and_sternum,
)
from vfscreen.synthesis.grid import Array, Box, Grid, Shape, ShapeList, blend, ramp
from vfscreen.synthesis.surroundings import (
    FAT_HU,
    LUNG_HU,
    Painted,
    Profile,
    canal,
    chest_contents,
    chest_profile,
    costal_cartilage,
    lung_share,
    soft_tissue,
    trunk_profile,
)

__all__ = ["Scene", "VertebraTruth", "body_centres", "draw_patient", "render", "vertebra_truth"]

_SLICES_AT_ONCE = 24
_GENERIC_SHELL_MM = 1.3
_ARCH_MARROW_HU = 90.0
"""How much denser arches, ribs and pelvis are inside than the bodies: their spongy bone is thin."""


def body_centres(spec: PatientSpec) -> dict[str, Float]:
    """Level (sacrum as "S") -> (3,) LPS mm centre of the body: mean of the six points."""
    found = {t.level: t.centre_lps_mm for t in vertebra_truth(spec)}
    found["S"] = spec.sacrum.to_lps(spec.sacrum.keypoints_uvw).mean(axis=0)
    return found


@dataclass(frozen=True, eq=False)
class Scene:
    """A patient's shapes, made once and rendered any number of times."""

    spec: PatientSpec
    trunk: Profile
    chest: Profile
    soft: ShapeList
    thorax: ShapeList
    bones: ShapeList

    @classmethod
    def of(cls, spec: PatientSpec) -> Scene:
        bones: list[Shape] = [*ribs(spec), *pelvis(spec), *shoulder_and_sternum(spec)]
        for vertebra in spec.vertebrae:
            bones += posterior_elements(vertebra)
        return cls(
            spec=spec,
            trunk=trunk_profile(spec),
            chest=chest_profile(spec),
            soft=_listed(soft_tissue(spec)),
            thorax=_listed(
                [*chest_contents(spec), *costal_cartilage(spec), *(Painted(s, hu) for s, hu in canal(spec))]
            ),
            bones=ShapeList.of(bones),
        )

    def render(
        self, affine_lps: Float, shape_ijk: tuple[int, int, int], rng: np.random.Generator | None, table: bool = True
    ) -> Volume:
        """See `render`."""
        i, j, k = shape_ijk
        hu = np.empty((k, j, i), dtype=np.int16)
        for start in range(0, k, _SLICES_AT_ONCE):
            stop = min(start + _SLICES_AT_ONCE, k)
            shifted = np.array(affine_lps, dtype=np.float64)
            shifted[:3, 3] += shifted[:3, 2] * start
            part = self._render_part(Grid(shifted, (stop - start, j, i), self.spec.blur_mm), table)
            if rng is not None:
                part += _noise(rng, part.shape, self.spec.noise_hu, shifted)
            hu[start:stop] = np.clip(np.rint(part), AIR_HU, 3071)
        return Volume(hu, np.array(affine_lps, dtype=np.float64))

    def _render_part(self, grid: Grid, table: bool) -> Array:
        spec = self.spec
        whole: Box = tuple(slice(0, n) for n in grid.shape_kji)  # type: ignore[assignment]  # three axes
        edge = grid.mean_edge_mm
        depth = self.trunk.depth_mm(grid, whole, 2.5)
        wall = np.float32(spec.fat_mm * 0.8 + 4.0)
        hu: Array = np.full(grid.shape_kji, 52.0, dtype=np.float32)
        blend(hu, ramp(depth - wall - np.float32(13.0), edge), FAT_HU + 15)
        _paint(hu, grid, self.soft)
        # from the inside outwards, so that nothing sticks out of what wraps it
        blend(hu, ramp(wall - depth, edge) * _not_back(grid, whole, self.trunk, spec), FAT_HU)
        blend(hu, ramp(np.float32(5.0) - depth, edge), FAT_HU)
        blend(hu, ramp(np.float32(2.0) - depth, edge), 10.0)
        around: Array = np.full(grid.shape_kji, -1000.0, dtype=np.float32)
        if table:
            _paint_table(around, grid, whole, float(self.trunk.back.max()) + 1.0, float(np.mean(self.trunk.x)))
        blend(hu, ramp(-depth, edge), around)
        del depth, around
        low = np.array([-1e3, -1e3, spec.vertebra("T12").centre_lps_mm[2] - 40.0])
        high = np.array([1e3, 1e3, spec.vertebra("T1").centre_lps_mm[2] + 30.0])
        if (box := grid.box(low, high)) is not None:
            blend(hu[box], lung_share(grid, box, spec, self.chest), LUNG_HU)
        _paint(hu, grid, self.thorax)
        self._paint_bones(hu, grid)
        return hu

    def _paint_bones(self, hu: Array, grid: Grid) -> None:
        spec = self.spec
        column = [*spec.vertebrae, spec.sacrum]
        for upper, lower in pairwise(column):
            box = body_box(grid, replace(upper, width=max(upper.width, lower.width)), margin=14.0)
            if box is not None:
                gas = upper.level in spec.disc_gas
                blend(hu[box], disc_share(grid, box, upper, lower), -150.0 if gas else 85.0)
        outer = np.zeros(grid.shape_kji, dtype=np.float32)
        inner = np.zeros(grid.shape_kji, dtype=np.float32)
        for _, box, depth in self.bones.within(grid):
            np.maximum(outer[box], ramp(depth, grid.mean_edge_mm), out=outer[box])
            np.maximum(inner[box], ramp(depth - np.float32(_GENERIC_SHELL_MM), grid.mean_edge_mm), out=inner[box])
        marrow = np.full(grid.shape_kji, spec.trabecular_hu + _ARCH_MARROW_HU, dtype=np.float32)
        for vertebra in column:
            self._body(grid, vertebra, outer, inner, marrow)
        # outer shell cortex, inside marrow; where two bones meet their shells open into one another
        np.minimum(inner, outer, out=inner)
        hu += outer * (np.float32(spec.cortical_hu) - hu)
        hu += inner * (marrow - np.float32(spec.cortical_hu))

    def _body(self, grid: Grid, vertebra: VertebraSpec, outer: Array, inner: Array, marrow: Array) -> None:
        spec = self.spec
        if (box := body_box(grid, vertebra)) is None:
            return
        solid, spongy, height = body_shares(grid, box, vertebra, spec.shell_mm, spec.endplate_mm)
        # near the body its own shape rules: a rod that reaches in must not blur its endplates
        np.maximum(outer[box], solid, out=outer[box])
        np.maximum(inner[box], spongy, out=inner[box])
        grain = _grain(grid, box, spec.surroundings_seed)
        blend(marrow[box], spongy, spec.spongy_hu(vertebra.level))
        marrow[box] += grain * np.float32(0.10 * spec.native_hu(vertebra.level) + 6.0) * spongy
        if vertebra.sclerosis_hu > 0:
            marrow[box] += np.float32(vertebra.sclerosis_hu) * spongy * np.clip((height - 0.62) * 4.0, 0.0, 1.0)


def render(
    spec: PatientSpec,
    affine_lps: Float,
    shape_ijk: tuple[int, int, int],
    rng: np.random.Generator | None = None,
    table: bool = True,
) -> Volume:
    """Render the patient on the grid (i, j, k, 1) -> LPS mm `affine_lps` of (columns, rows, slices) `shape_ijk`.

    rng draws the noise; None renders without. Any orientation, handedness, spacing or shear. For several grids of one
    patient make a `Scene` once.
    """
    return Scene.of(spec).render(affine_lps, shape_ijk, rng, table)


def _listed(items: Sequence[Painted]) -> ShapeList:
    return ShapeList.of((item.shape for item in items), (item.hu for item in items))


def _paint(hu: Array, grid: Grid, items: ShapeList) -> None:
    for n, box, depth in items.within(grid):
        blend(hu[box], ramp(depth, grid.mean_edge_mm), items.values[n])


def _not_back(grid: Grid, whole: Box, trunk: Profile, spec: PatientSpec) -> Array:
    """0 over the muscles of the back, where the subcutaneous fat is thin, else 1."""
    x, y, z = grid.local(whole, np.eye(3), np.zeros(3))
    middle, back, _, depth = trunk.at(z)
    aside = np.clip((np.abs(x - middle) - 50.0) / 12.0, 0.0, 1.0)
    return np.asarray(np.maximum(aside, y < back - depth), dtype=np.float32)


def _paint_table(hu: Array, grid: Grid, whole: Box, top_mm: float, middle_mm: float) -> None:
    """A carbon shell around foam, slightly hollow."""
    x, y, _ = grid.local(whole, np.eye(3), np.array([middle_mm, top_mm, 0.0]))
    below = y - 6.0 + (x / 45.0) ** 2
    inside = np.minimum(np.minimum(below, 26.0 - below), 210.0 - np.abs(x))
    edge = grid.mean_edge_mm
    blend(hu, ramp(inside, edge), -250.0)
    blend(hu, ramp(inside - np.float32(2.5), edge), -930.0)


def _grain(grid: Grid, box: Box, seed: int) -> Array:
    """Trabecular texture fixed in the patient, about unit size before voxels average it, without mean: what a region of
    several mm measures is the bone's own value."""
    rng = np.random.default_rng(seed + 2)
    total: Array = np.zeros((1, 1, 1), dtype=np.float32)
    for _ in range(3):
        wave = rng.normal(size=3)
        wave *= 2 * np.pi / rng.uniform(2.5, 5.0) / np.linalg.norm(wave)
        seen = float(np.prod(np.sinc(wave @ grid.affine_lps[:3, :3] / (2 * np.pi))))
        total = np.asarray(total + np.float32(seen) * np.sin(grid.linear(box, wave, rng.uniform(-50, 50, 3))))
    return np.asarray(total * np.float32(0.8))


def _noise(rng: np.random.Generator, shape: tuple[int, ...], sd_hu: float, affine: Float) -> Array:
    """Noise with the short in-plane correlation of filtered back projection; thinner slices are noisier."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    noise = rng.standard_normal(shape, dtype=np.float32)
    for axis, step in ((2, spacing[0]), (1, spacing[1])):
        if step < 1.5:
            noise = gaussian_filter1d(noise, 0.6 / step, axis=axis, truncate=2.5)
    scale = sd_hu * float(np.clip(np.sqrt(1.5 / spacing[2]), 0.4, 1.5)) / max(float(noise.std()), 1e-6)
    return np.asarray(noise * np.float32(scale))
