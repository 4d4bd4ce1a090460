"""Where the mid-sagittal plane lies beside a centreline, from the mirror symmetry of the vertebrae themselves.

Belongs here: the shift of each vertebra's own mirror plane, and agreement along the column. Does not belong here:
finding the centreline (spine.centreline), reading the slab (models).

A locator's centreline passes through bodies, but a few mm beside the mid-sagittal plane, on which the six points are
read. The back of the body, canal, arch and spinous process are nearly symmetric about it, so an axial patch resembles
its own mirror image best when mirrored there. The front of the body is left out: osteophytes and bridges grow on one
side of it. A rotated vertebra (scoliosis) needs the roll: without it the spinous process, far behind, drags the plane
away from the body.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from vfscreen.geometry.curve import Centreline
from vfscreen.geometry.volume import Volume

Float = NDArray[np.float64]

SEARCH_MM = 6.0
"""A mirror plane farther from the centreline is not looked for."""
CORRELATION_MIN = 0.5
"""A patch less like its mirror image has no mirror plane to speak of (metal, another bone, no bone)."""
PROMINENCE_MIN = 0.05
"""The best shift must beat the worst by this much correlation; water is alike everywhere."""
SCALE_MM = 1.0
"""Shifts farther than this from what their neighbours agree on lose their say."""
ROLLS_DEG = (-12.0, -8.0, -4.0, 0.0, 4.0, 8.0, 12.0)
"""Rolls tried; positive turns the back of the plane to the patient's left."""
STIFFNESS = 10.0
"""Weight of the bend between neighbouring vertebrae against one perfectly clear vertebra."""

_HU = (0.0, 300.0)
_S_MM = np.arange(-6.0, 6.1, 3.0)
_P_MM = np.arange(-2.0, 45.0, 2.0)
_HALF_WIDTH_MM = 30
_L_MM = np.arange(-_HALF_WIDTH_MM, _HALF_WIDTH_MM + 1, dtype=np.float64)


def mirror_planes(volume: Volume, centreline: Centreline, centres_s_p_mm: Float) -> Float:
    """(n,) mm to the left of the centreline at which the mid-sagittal plane of each vertebra lies, at its body.

    centres_s_p_mm: (n, 2) curve coordinates s and p of body centres in mm, in order along the column. The planes agree
    along the column; where fewer than three vertebrae show a clear one they are the centreline's own. Mirrored volumes
    give mirrored planes.
    """
    centres = np.asarray(centres_s_p_mm, dtype=np.float64).reshape(-1, 2)
    if len(centres) < 3:
        return np.zeros(len(centres))
    return agree_along(*patch_planes(axial_patches(volume, centreline, centres)))


def axial_patches(volume: Volume, centreline: Centreline, centres_s_p_mm: Float) -> Float:
    """Patches across the column, averaged along it: (n, 24, 61) clipped HU over p (from 2 mm before the centre to
    44 mm behind, steps of 2 mm) and l (30 mm to either side of the centreline, steps of 1 mm).
    NaN where the volume does not reach.
    """
    s = np.asarray(centres_s_p_mm, dtype=np.float64)[:, 0, None] + _S_MM
    p = np.asarray(centres_s_p_mm, dtype=np.float64)[:, 1, None] + _P_MM
    # positions are affine in p and l for given s, and so are voxel coordinates: three are enough for a plane
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    spl = np.stack(np.broadcast_arrays(s[..., None], corners[:, 0], corners[:, 1]), axis=-1)
    origin, along_p, along_l = np.moveaxis(volume.to_ijk(centreline.to_lps(spl)), -2, 0)[..., ::-1]
    across = (along_p - origin)[:, :, None, None] * p[:, None, :, None, None]
    kji = origin[:, :, None, None] + across + (along_l - origin)[:, :, None, None] * _L_MM[:, None]
    hu = map_coordinates(
        volume.hu, np.moveaxis(kji, -1, 0), order=1, output=np.float32, mode="constant", cval=-32768, prefilter=False
    )
    hu = np.where(hu < -8192, np.float32(np.nan), np.clip(hu, *_HU))
    return np.asarray(hu.mean(axis=1, dtype=np.float64))


def patch_planes(patches: Float) -> tuple[Float, Float]:
    """(n, 24, 61) patches -> (n,) shift at the body centre in mm to the left, and (n,) clarity 0..1."""
    tried = [patch_shift(_rolled(patches, roll)) for roll in ROLLS_DEG]
    shift, clarity, peak = (np.stack(values, axis=1) for values in zip(*tried, strict=True))
    best, rows = np.clip(peak.argmax(axis=1), 1, len(ROLLS_DEG) - 2), np.arange(len(patches))
    offset = _vertex(*(peak[rows, best + step] for step in (-1, 0, 1)))
    side = np.where(offset < 0, -1, 1)
    between = shift[rows, best] + np.abs(offset) * (shift[rows, best + side] - shift[rows, best])
    roll = np.asarray(ROLLS_DEG)[best] + offset * (ROLLS_DEG[1] - ROLLS_DEG[0])
    return between / np.cos(np.radians(roll)), clarity[rows, best]


def _rolled(patches: Float, roll_deg: float) -> Float:
    """Patches (n, 24, 61) sampled on axes turned about the body centre."""
    if roll_deg == 0:
        return patches
    sine, cosine = np.sin(np.radians(roll_deg)), np.cos(np.radians(roll_deg))
    row = (_P_MM[:, None] * cosine - _L_MM * sine - _P_MM[0]) / (_P_MM[1] - _P_MM[0])
    column = _P_MM[:, None] * sine + _L_MM * cosine + _HALF_WIDTH_MM
    return np.stack([map_coordinates(p, [row, column], order=1, cval=np.nan, prefilter=False) for p in patches])


def _vertex(before: Float, peak: Float, after: Float) -> Float:
    """(n,) where between -1 and 1 the parabola through three values has its top; 0 where it has none there."""
    bend = before - 2 * peak + after
    top = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, -1.0), 0.0)
    return np.asarray(np.clip(top, -1.0, 1.0))


def patch_shift(patches: Float) -> tuple[Float, Float, Float]:
    """The shift of each patch's best mirror axis, how clear it is, and its correlation.

    patches: (n, P, 61), l along the last axis in mm steps, NaN where unknown. Returns (n,) mm to the left, (n,)
    clarity 0..1, 0 where there is no clear maximum within `SEARCH_MM`, and (n,) correlation.
    """
    reach = _HALF_WIDTH_MM - int(SEARCH_MM)
    double = np.arange(-2 * int(SEARCH_MM), 2 * int(SEARCH_MM) + 1)  # in half mm: mirrors on and between samples
    score = np.stack([_self_correlation(patches, int(k), reach) for k in double], axis=1)
    best = np.clip(score.argmax(axis=1), 1, len(double) - 2)
    rows = np.arange(len(patches))
    before, peak, after = (score[rows, best + step] for step in (-1, 0, 1))
    inside = (peak >= before) & (peak >= after)
    offset = _vertex(before, peak, after)
    prominence = peak - score.min(axis=1)
    clear = inside & (peak >= CORRELATION_MIN) & (prominence >= PROMINENCE_MIN)
    return (double[best] + offset) / 2.0, np.where(clear, np.clip(prominence, 0.0, 1.0), 0.0), peak


def _self_correlation(patches: Float, double_shift: int, reach: int) -> Float:
    """(n,) correlation of patches (n, P, L) with their mirror images about `double_shift` / 2; 0 where uniform."""
    middle = patches.shape[-1] // 2
    every = np.arange(-middle, middle + 1)
    right = every[(2 * every < double_shift) & (double_shift - 2 * every < 2 * reach)]
    a, b = patches[..., middle + right], patches[..., middle + double_shift - right]
    known = np.isfinite(a) & np.isfinite(b)
    count = np.maximum(known.sum(axis=(1, 2)), 1)
    a, b = np.where(known, a, 0.0), np.where(known, b, 0.0)
    mean = (a + b).sum(axis=(1, 2)) / (2 * count)
    a, b = (np.where(known, side - mean[:, None, None], 0.0) for side in (a, b))
    variance = (a * a + b * b).sum(axis=(1, 2)) / 2
    return np.asarray(np.where(variance > count, (a * b).sum(axis=(1, 2)) / np.maximum(variance, 1.0), 0.0))


def agree_along(shift_mm: Float, clarity: Float) -> Float:
    """(n,) shifts in order along the column, made to agree with their neighbours: few bends, outliers left out.

    Whittaker smoothing (second differences) with Cauchy weights, from the weighted median on.
    """
    n = len(shift_mm)
    if np.count_nonzero(clarity) < 3:
        return np.zeros(n)
    bend = np.diff(np.eye(n), n=2, axis=0)
    stiff = STIFFNESS * bend.T @ bend
    clear = clarity > 0
    smooth: Float = np.full(n, np.median(shift_mm[clear]))
    for _ in range(10):
        weight = clarity / (1.0 + np.square((shift_mm - smooth) / SCALE_MM))
        smooth = np.asarray(np.linalg.solve(stiff + np.diag(weight), weight * shift_mm), dtype=np.float64)
    # beyond the outermost clear vertebrae their shift is held: a line carried on there would run away
    at = np.flatnonzero(clear)
    return np.asarray(smooth[np.clip(np.arange(n), at[0], at[-1])])
