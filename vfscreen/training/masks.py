"""Six points from a vertebra label map (VerSe format): labels become readings by code.

Belongs here: label map -> centreline, six points a vertebra. Does not belong here: rendering a map as CT (render).

Labels are VerSe's (Sekuboyina et al., Medical Image Analysis 73 (2021)): 1-7 C1-C7, 8-19 T1-T12, 20-25 L1-L6, 28 T13.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vfscreen.geometry.curve import Centreline
from vfscreen.geometry.volume import Volume
from vfscreen.spine.straighten import SlabSpec, StraightenedSlab, straighten
from vfscreen.training.readings import ReadVertebra

Float = NDArray[np.float64]

VERSE_LEVELS: dict[int, str] = {
    **{n: f"C{n}" for n in range(1, 8)},
    **{n + 7: f"T{n}" for n in range(1, 13)},
    **{n + 19: f"L{n}" for n in range(1, 7)},
    28: "T13",
}

_SPEC = SlabSpec(pixel_mm=0.5, anterior_mm=40.0, posterior_mm=40.0, margin_mm=40.0, plane_offsets_mm=(-1.5, 0.0, 1.5))
_WALL_TOLERANCE_MM = 2.5
"""A corner may lie this far before the body's waist; what lies farther is an osteophyte."""


def read_label_map(labels: Volume) -> tuple[Centreline, list[ReadVertebra]]:
    """The centreline through the bodies and every labelled vertebra's six points, superior to inferior.

    Vertebrae cut by the volume's edge or without a body in the mid-sagittal plane are left out. Raises ValueError where
    fewer than two bodies are found.
    """
    centres = {label: _body_centre(labels, label) for label in sorted(set(np.unique(labels.hu)) & set(VERSE_LEVELS))}
    if len(centres) < 2:
        raise ValueError(f"a label map needs at least two vertebrae, not {len(centres)}")
    centreline = Centreline.fit(np.array(list(centres.values())), residual_mm=1.0)
    vertebrae = []
    for label in centres:
        points = _six_points(labels, label, centreline)
        if points is not None:
            vertebrae.append(ReadVertebra(VERSE_LEVELS[label], True, 0.7, points))
    vertebrae.sort(key=lambda v: -float(v.centre_lps_mm[2]))
    return centreline, vertebrae


def _body_centre(labels: Volume, label: int) -> Float:
    """The body is the thickest part of a vertebra: the mean of the places deepest inside the mask, LPS mm."""
    mask = labels.hu == label
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    depth = ndimage.distance_transform_edt(np.pad(mask[box], 1), sampling=labels.spacing_mm[::-1])[1:-1, 1:-1, 1:-1]
    deep = np.argwhere(depth > 0.6 * depth.max())
    weight = depth[tuple(deep.T)] ** 2
    kji = (deep * weight[:, None]).sum(axis=0) / weight.sum() + [s.start for s in box]
    return labels.to_lps(kji[::-1])


def _six_points(labels: Volume, label: int, centreline: Centreline) -> Float | None:
    binary = Volume(((labels.hu == label) * np.int16(1000)), labels.affine_lps)
    if any(binary.hu.take(edge, axis=_superior_axis(labels)).any() for edge in (0, -1)):
        return None
    slab = straighten(binary, centreline, _SPEC)
    body = _body_component(slab)
    if body is None:
        return None
    corners_and_middles = _corners(body)
    return slab.to_lps(corners_and_middles)


def _superior_axis(volume: Volume) -> int:
    """The array axis that runs along the patient's long axis."""
    return 2 - int(np.argmax(np.abs(volume.affine_lps[2, :3])))


def _body_component(slab: StraightenedSlab) -> NDArray[np.bool_] | None:
    """The body in the mid-sagittal plane: the piece in front of the canal, nearest to the centreline."""
    mask = np.maximum(slab.hu, 0).mean(axis=0) > 500
    opened = ndimage.binary_opening(mask, iterations=4)
    pieces, count = ndimage.label(opened)
    middle = _SPEC.anterior_mm / _SPEC.pixel_mm
    best, best_area = 0, 0.0
    for piece in range(1, count + 1):
        rows, columns = np.nonzero(pieces == piece)
        if columns.min() < middle + 8 and rows.size > best_area:
            best, best_area = piece, rows.size
    if best == 0 or best_area * _SPEC.pixel_mm**2 < 60:
        return None
    grown = ndimage.binary_dilation(pieces == best, iterations=5, mask=mask)
    return np.asarray(grown)


def _corners(body: NDArray[np.bool_]) -> Float:
    """(6, 2) slab pixels of the morphometry points of one body's mask."""
    rc = np.argwhere(body).astype(np.float64)
    axis = _depth_axis(body)
    across = np.array([-axis[1], axis[0]])  # towards the feet
    across = across if across[0] > 0 else -across
    centre = rc.mean(axis=0)
    u, v = (rc - centre) @ axis, (rc - centre) @ across
    low_v, high_v = np.percentile(v, [2, 98])
    waist = np.abs(v - (low_v + high_v) / 2) < 0.15 * (high_v - low_v)
    tolerance = _WALL_TOLERANCE_MM / _SPEC.pixel_mm
    front, back = u[waist].min() - tolerance, u[waist].max() + tolerance
    keep = (u >= front) & (u <= back)
    u, v = u[keep], v[keep]
    depth = u.max() - u.min()
    points = np.zeros((6, 2))
    corner_uv = {}
    for k, (du, dv) in {0: (-1, -1), 1: (-1, 1), 4: (1, -1), 5: (1, 1)}.items():
        # an endplate near its wall: the farthest point along the diagonal, height counted more than depth
        near = (u * du) > depth * 0.12
        n = int(np.argmax(np.where(near, du * u + 1.2 * dv * v, -np.inf)))
        corner_uv[k] = np.array([u[n] + 0.5 * du * 0.5, v[n] + 0.5 * dv])
    for k, (front_k, back_k, sign) in {2: (0, 4, -1), 3: (1, 5, 1)}.items():
        mid_u = (corner_uv[front_k][0] + corner_uv[back_k][0]) / 2
        near = np.abs(u - mid_u) < 1.5
        edge = v[near].min() if sign < 0 else v[near].max()
        corner_uv[k] = np.array([mid_u, edge + 0.5 * sign])
    for k, (a, b) in corner_uv.items():
        points[k] = centre + a * axis + b * across
    return points


def _depth_axis(body: NDArray[np.bool_]) -> Float:
    """Unit vector (row, column) from the anterior to the posterior wall: a line through the columns' middles."""
    columns = np.nonzero(body.any(axis=0))[0]
    low, high = np.percentile(columns, [20, 80]).astype(int)
    inner = np.arange(low, high + 1)
    middles = [np.nonzero(body[:, c])[0][[0, -1]].mean() for c in inner]
    slope = np.polyfit(inner, middles, 1)[0]
    axis = np.array([slope, 1.0])
    return np.asarray(axis / np.linalg.norm(axis))
