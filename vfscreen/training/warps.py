"""Height-loss warps: a vertebra in a straightened slab is deformed, its points move with it exactly.

Belongs here: the displacement along the slab's rows and its inverse. Does not belong here: drawing parameters (data
sets), intensities.

Coordinates are slab mm: `row` from the slab's top, `p` towards the back from the centreline. A warp moves tissue along
rows only: the endplates towards (or from) each other, a thin layer at each endplate rigidly, so that the cortex keeps
its thickness; the neighbours follow by a straight line through the body's corners, which fades over `FADE_MM`,
so that they keep their own shape and discs take up what is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

FADE_MM = 90.0
LAYER_MM = 2.0
DISC_MIN_MM = 0.8
BODY_MIN_SHARE = 0.12
"""A column of a body keeps at least this share of its height: a warp must stay invertible."""


@dataclass(frozen=True, eq=False)
class RowWarp:
    """A monotone piecewise linear map of rows for each of a grid of columns.

    columns_p: (C,) evenly spaced. source, target: (K, C) rows in mm, increasing along K.
    """

    columns_p: Float
    source: Float
    target: Float

    def forward(self, row_p: Float) -> Float:
        """(..., 2) points (row, p) of the undeformed slab -> where they go."""
        return self._map(row_p, self.source, self.target)

    def inverse_rows(self, rows: Float) -> Float:
        """Rows (R,) of the deformed slab -> (R, C) rows of the undeformed one, for every column of the grid."""
        return np.stack(
            [np.interp(rows, self.target[:, c], self.source[:, c]) for c in range(self.columns_p.size)], axis=1
        )

    def _map(self, row_p: Float, source: Float, target: Float) -> Float:
        flat = np.asarray(row_p, dtype=np.float64).reshape(-1, 2)
        step = self.columns_p[1] - self.columns_p[0]
        index = np.clip((flat[:, 1] - self.columns_p[0]) / step, 0.0, self.columns_p.size - 1.000001)
        low = index.astype(int)
        share = index - low
        moved = np.empty(len(flat))
        for n, (row, c, f) in enumerate(zip(flat[:, 0], low, share, strict=True)):
            a = np.interp(row, source[:, c], target[:, c])
            b = np.interp(row, source[:, c + 1], target[:, c + 1])
            moved[n] = (1 - f) * a + f * b
        return np.stack([moved, flat[:, 1]], axis=1).reshape(np.shape(row_p))


def endplate(points: Float, columns_p: Float) -> Float:
    """Rows (C,) of an endplate: a parabola through its three points (3, 2), the corners' line beyond them."""
    p, row = points[:, 1], points[:, 0]
    line = row[0] + (row[2] - row[0]) * (columns_p - p[0]) / (p[2] - p[0])
    coefficients = np.polyfit(p, row, 2)
    between = (columns_p > p[0]) & (columns_p < p[2])
    return np.asarray(np.where(between, np.polyval(coefficients, columns_p), line))


def height_loss_warp(
    points: Float,
    above: Float | None,
    below: Float | None,
    columns_p: Float,
    superior_mm: Float,
    inferior_mm: Float,
    far_share: float = 1.0,
) -> RowWarp:
    """The warp that moves one vertebra's endplates towards its middle.

    points: (6, 2) (row, p) of the vertebra, KEYPOINTS order; above, below: those of its neighbours, or None.
    superior_mm, inferior_mm: (C,) how far each endplate moves inwards at each column (negative: outwards).
    Displacements are cut where a disc or the body would vanish. far_share: how much of the lost height is missing
    beyond `FADE_MM`; with 0 the tissue there stays in its place.
    """
    anterior_p = float(points[0:2, 1].mean())
    posterior_p = float(points[4:6, 1].mean())
    top, bottom = endplate(points[0::2], columns_p), endplate(points[1::2], columns_p)
    body = np.maximum(bottom - top, 2.0)
    bottom = top + body
    disc_above = np.minimum(endplate(above[1::2], columns_p) if above is not None else top - 6.0, top - 2.5)
    disc_below = np.maximum(endplate(below[0::2], columns_p) if below is not None else bottom + 6.0, bottom + 2.5)
    inside = np.clip(columns_p, anterior_p, posterior_p)

    total = superior_mm + inferior_mm
    allowed = body * (1.0 - BODY_MIN_SHARE)
    shrink = np.where(total > allowed, allowed / np.maximum(total, 1e-6), 1.0)
    ds, line_s = _with_corner_line(superior_mm * shrink, columns_p, inside, anterior_p, posterior_p)
    di, line_i = _with_corner_line(inferior_mm * shrink, columns_p, inside, anterior_p, posterior_p)
    rim = 0.7
    ds = np.maximum(ds, line_s - (top - rim - disc_above - DISC_MIN_MM))
    di = np.maximum(di, line_i - (disc_below - bottom - rim - DISC_MIN_MM))
    layer = np.minimum(LAYER_MM, 0.35 * np.maximum(body - ds - di, 0.5))

    far_s, far_i = far_share * float(line_s.mean()), far_share * float(line_i.mean())
    big = 1e4
    rows = [
        (np.full_like(top, top.min() - big), far_s),
        (np.minimum(disc_above, top) - FADE_MM, far_s),
        (disc_above, line_s),
        (top - rim, ds),
        (top + layer, ds),
        (bottom - layer, -di),
        (bottom + rim, -di),
        (disc_below, -line_i),
        (np.maximum(disc_below, bottom) + FADE_MM, -far_i),
        (np.full_like(top, bottom.max() + big), -far_i),
    ]
    source = np.stack([r for r, _ in rows])
    target = np.stack([r + u for r, u in rows])
    # a crowded disc could still fold: keep the order, which is all that an inverse needs
    source = np.maximum.accumulate(source + np.arange(len(rows))[:, None] * 1e-6, axis=0)
    target = np.maximum.accumulate(target + np.arange(len(rows))[:, None] * 1e-6, axis=0)
    return RowWarp(columns_p, source, target)


def _with_corner_line(
    displacement: Float, columns_p: Float, inside: Float, anterior_p: float, posterior_p: float
) -> tuple[Float, Float]:
    """A displacement held to the straight line through its corner values beyond the body, and that line."""
    at_front = float(np.interp(anterior_p, columns_p, displacement))
    at_back = float(np.interp(posterior_p, columns_p, displacement))
    line = at_front + (at_back - at_front) * (inside - anterior_p) / (posterior_p - anterior_p)
    within = (columns_p >= anterior_p) & (columns_p <= posterior_p)
    return np.where(within, displacement, line), line
