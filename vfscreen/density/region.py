"""The region of spongy bone inside a vertebral body, and the voxels in it.

Belongs here: where the region lies in a body's frame, which voxels are its own. Does not belong here: what is made of
their values (measure, lesions), the frame (frame).

Region: an elliptic cylinder in the front of the body, between its endplates (Pickhardt et al., Ann Intern Med 2013,
take an oval there by hand), clear of cortex and endplates by a margin and by half a voxel more, so that no voxel of
it, however thick the slices, holds any of them. Voxels are taken as they are: interpolation would hide the noise.
Around it lies the wider interior, in which lesions are looked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.density.frame import BodyFrame
from vfscreen.geometry.volume import AIR_HU, Volume
from vfscreen.settings_density import RegionSettings

Float = NDArray[np.float64]

SAMPLE_MM = 0.8
"""Voxels much finer than this are thinned out to it: their values are correlated, their number is time."""
INTERIOR_DEPTH_SHARE = 0.88
INTERIOR_HALF_WIDTH_SHARE = 0.45
_SEMI_AXIS_MIN_MM = 2.0


@dataclass(frozen=True, eq=False)
class Region:
    """hu: (n,) int16 of the region's voxels. volume_mm3: of those voxels. outline_lps_mm: (N, 3) its border on the
    mid-sagittal plane. interior_hu: (m,), interior_uvw: (m, 3) local mm of the wider interior's voxels."""

    hu: NDArray[np.int16]
    volume_mm3: float
    outline_lps_mm: Float
    interior_hu: NDArray[np.int16]
    interior_uvw: Float


@dataclass(frozen=True)
class _Cylinder:
    """An elliptic cylinder along w between the endplates. Centre at u = 0; semi-axes and margin from the endplates in
    mm."""

    centre_v: float
    semi_u: float
    semi_v: float
    margin_w: float

    def contains(self, frame: BodyFrame, u: Float, v: Float, w: Float) -> NDArray[np.bool_]:
        aside = np.square(u / self.semi_u) + np.square((v - self.centre_v) / self.semi_v) <= 1.0
        below = w <= frame.superior_w(v) - self.margin_w
        above = w >= frame.inferior_w(v) + self.margin_w
        return np.asarray(aside & below & above)

    def heights(self, frame: BodyFrame, v: Float) -> tuple[Float, Float]:
        """Top and bottom w at (N,) positions v; the top lies below the bottom where there is no room."""
        return (
            np.asarray(frame.superior_w(v) - self.margin_w),
            np.asarray(frame.inferior_w(v) + self.margin_w),
        )


def body_region(volume: Volume, frame: BodyFrame, settings: RegionSettings) -> Region | None:
    """Voxels of the region of a body; None where there is no room for one, or it is not wholly within the volume."""
    reach = frame.reach_mm(volume)
    region = _cylinder(frame, reach, settings, settings.depth_share, settings.half_width_share)
    interior = _cylinder(frame, reach, settings, INTERIOR_DEPTH_SHARE, INTERIOR_HALF_WIDTH_SHARE)
    if region is None or interior is None:
        return None
    outline = _outline(frame, region)
    if outline is None or not volume.contains(outline).all():
        return None
    hu, u, v, w, share_mm3 = _voxels(volume, frame, interior)
    if hu.size == 0:
        return None
    wide = interior.contains(frame, u, v, w) & (hu > AIR_HU)  # padding is no measurement
    hu, u, v, w = hu[wide], u[wide], v[wide], w[wide]
    inside = region.contains(frame, u, v, w)
    volume_mm3 = float(np.count_nonzero(inside)) * share_mm3
    if np.count_nonzero(inside) < settings.voxel_count_min or volume_mm3 < settings.volume_min_mm3:
        return None
    return Region(hu[inside], volume_mm3, outline, hu, np.stack([u, v, w], axis=1))


def _cylinder(
    frame: BodyFrame, reach: Float, settings: RegionSettings, depth_share: float, half_width_share: float
) -> _Cylinder | None:
    front = frame.front_mm + settings.cortex_margin_mm + float(reach[1])
    back = frame.front_mm + depth_share * frame.depth_mm
    semi_u, semi_v = half_width_share * frame.depth_mm - 0.5 * float(reach[0]), 0.5 * (back - front)
    if min(semi_u, semi_v) < _SEMI_AXIS_MIN_MM:
        return None
    return _Cylinder(0.5 * (front + back), semi_u, semi_v, settings.endplate_margin_mm + float(reach[2]))


def _outline(frame: BodyFrame, cylinder: _Cylinder) -> Float | None:
    v = np.linspace(cylinder.centre_v - cylinder.semi_v, cylinder.centre_v + cylinder.semi_v, 9)
    top, bottom = cylinder.heights(frame, v)
    open_ = top > bottom
    if np.count_nonzero(open_) < 2:
        return None
    v, top, bottom = v[open_], top[open_], bottom[open_]
    border = np.concatenate([np.stack([v, top], axis=1), np.stack([v, bottom], axis=1)[::-1]])
    return frame.to_lps(np.concatenate([np.zeros((len(border), 1)), border], axis=1))


def _voxels(
    volume: Volume, frame: BodyFrame, cylinder: _Cylinder
) -> tuple[NDArray[np.int16], Float, Float, Float, float]:
    """HU and local coordinates of the voxels of a box around the cylinder, and the volume each stands for, mm3."""
    v = np.linspace(cylinder.centre_v - cylinder.semi_v, cylinder.centre_v + cylinder.semi_v, 9)
    top, bottom = cylinder.heights(frame, v)
    low = np.array([-cylinder.semi_u, v[0], float(bottom.min())])
    high = np.array([cylinder.semi_u, v[-1], float(top.max())])
    middle = volume.to_ijk(frame.to_lps(0.5 * (low + high)))
    # how far the box reaches along each voxel axis
    steps = volume.inverse_affine[:3, :3] @ frame.axes.T
    extent = np.abs(steps) @ (0.5 * (high - low))
    # thinned out from the middle voxel on, so that reversed copies of a volume give the same voxels
    stride = np.maximum(1, np.floor(SAMPLE_MM / np.asarray(volume.spacing_mm))).astype(int)
    centre = np.rint(middle).astype(int)
    index = []
    for axis, count in enumerate(volume.shape_ijk):
        half = int(np.floor(extent[axis] / stride[axis])) + 1
        found = centre[axis] + stride[axis] * np.arange(-half, half + 1)
        index.append(found[(found >= 0) & (found < count)])
    i, j, k = index
    hu = volume.hu[np.ix_(k, j, i)]
    # local coordinates are sums of one term an axis
    to_local = frame.axes @ volume.affine_lps[:3, :3]
    offset = frame.axes @ (volume.affine_lps[:3, 3] - frame.origin_lps_mm)
    u, v3, w = (
        offset[a]
        + (to_local[a, 2] * k)[:, None, None]
        + (to_local[a, 1] * j)[None, :, None]
        + (to_local[a, 0] * i)[None, None, :]
        for a in range(3)
    )
    share = abs(float(np.linalg.det(volume.affine_lps[:3, :3]))) * float(np.prod(stride))
    return hu.ravel(), u.ravel(), v3.ravel(), w.ravel(), share
