"""Axial planes through vertebral bodies: the only look at what lies around the spine.

Belongs here: sampling planes in the bodies' own frames, and discs of even tissue on them. Does not belong here: which
disc is a vessel or a kidney (contrast), which pixel is fat (calibration).

A plane lies across the middle of a body, along its left and its back. A few planes spread over the column are enough:
the aorta runs along it, kidneys reach over several vertebrae.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, uniform_filter

from vfscreen.density.frame import BodyFrame
from vfscreen.geometry.volume import AIR_HU, Volume

Float = NDArray[np.float64]
Image = NDArray[np.float32]

PIXEL_MM = 3.0
PLANES_MAX = 8
_U_MM = np.arange(-90.0, 90.1, PIXEL_MM)
_V_MM = np.arange(-84.0, 72.1, PIXEL_MM)
_ALONG_MM = (-2.5, 0.0, 2.5)
_FAR_MM = 15.0
_FAR_U_MM = np.arange(-270.0, 270.1, _FAR_MM)
_FAR_V_MM = np.arange(-330.0, 180.1, _FAR_MM)
_OUTSIDE = -32768


@dataclass(frozen=True, eq=False)
class Planes:
    """hu: float32 (n, V, U), averaged over 5 mm, NaN where nothing was scanned; rows towards the back, columns towards
    the left.

    levels: (n,) names, None where not known. front_mm, depth_mm: (n,) v of each body's anterior wall, and its depth.
    far_hu: float32 (n, V', U') single voxels over the whole picture, coarse, for the air around the patient.
    disc_mean, disc_sd: float32 (n, V, U) over 9 x 9 mm about each pixel; NaN where not wholly scanned.
    """

    hu: Image
    levels: tuple[str | None, ...]
    front_mm: Float
    depth_mm: Float
    far_hu: Image
    disc_mean: Image
    disc_sd: Image

    @property
    def u_mm(self) -> Float:
        """(U,) mm to the left of the body's middle."""
        return _U_MM

    @property
    def v_mm(self) -> Float:
        """(V,) mm to the back of the body's middle."""
        return _V_MM


def axial_planes(volume: Volume, bodies: Sequence[tuple[str | None, BodyFrame]]) -> Planes | None:
    """Planes across bodies given from superior to inferior; None where there is no body."""
    if not bodies:
        return None
    chosen = np.unique(np.linspace(0, len(bodies) - 1, min(len(bodies), PLANES_MAX)).round().astype(int))
    levels = tuple(bodies[n][0] for n in chosen)
    frames = [bodies[n][1] for n in chosen]
    hu = _sample(volume, frames, _U_MM, _V_MM, _ALONG_MM, order=1)
    mean, sd = _even(hu)
    return Planes(
        hu=hu,
        levels=levels,
        front_mm=np.array([f.front_mm for f in frames]),
        depth_mm=np.array([f.depth_mm for f in frames]),
        far_hu=_sample(volume, frames, _FAR_U_MM, _FAR_V_MM, (0.0,), order=0),
        disc_mean=mean,
        disc_sd=sd,
    )


def _sample(
    volume: Volume, frames: Sequence[BodyFrame], u_mm: Float, v_mm: Float, along_mm: Sequence[float], order: int
) -> Image:
    """Planes averaged over several positions along w; NaN where one of them was not scanned."""
    inverse = volume.inverse_affine
    origin = np.stack([f.origin_lps_mm for f in frames]) @ inverse[:3, :3].T + inverse[:3, 3]
    u, v, w = (np.stack([f.axes[a] for f in frames])[:, None, None, None] @ inverse[:3, :3].T for a in range(3))
    offsets = np.asarray(along_mm)[:, None, None, None] * w
    ijk = origin[:, None, None, None] + offsets + v * v_mm[:, None, None] + u * u_mm[:, None]
    kji = np.moveaxis(ijk[..., ::-1], -1, 0)
    hu = map_coordinates(
        volume.hu, kji, order=order, output=np.float32, mode="constant", cval=_OUTSIDE, prefilter=False
    )
    return np.asarray(np.where(hu <= AIR_HU, np.float32(np.nan), hu).mean(axis=1))


def _even(hu: Image) -> tuple[Image, Image]:
    """Mean and standard deviation over 3 x 3 pixels."""
    known = np.nan_to_num(hu, nan=0.0)
    whole = _boxed(np.isnan(hu).astype(np.float32)) < 0.01
    mean = _boxed(known)
    sd = np.sqrt(np.maximum(_boxed(known * known) - mean * mean, 0.0))
    return np.where(whole, mean, np.float32(np.nan)), np.where(whole, sd, np.float32(np.nan))


def _boxed(a: Image) -> Image:
    """Mean over 3 x 3 pixels of each plane."""
    return np.asarray(uniform_filter(a, size=(1, 3, 3), mode="nearest"))
