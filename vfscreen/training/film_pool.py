"""Making a pool of film cases: draw a geometry, project a body, keep the case.

Belongs here: which part of a body a film shows, and the case of it. Does not belong here: bodies (film_bodies),
line integrals (synthesis.projection), the command line (films).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.volume import Volume
from vfscreen.synthesis.projection import FilmGeometry, View, project
from vfscreen.training.film_bodies import FilmBody
from vfscreen.training.film_cases import FilmCase

Float = NDArray[np.float64]

PIXEL_MM = 0.5
"""Size of a case's pixel in the plane of the column."""


def draw_geometry(body: FilmBody, view: View, rng: np.random.Generator) -> FilmGeometry:
    """A geometry for a film of the whole body as far as it was scanned: table, wall stand or slot scanner."""
    slot = bool(rng.random() < 0.35)
    distance = float(rng.uniform(1250, 1350)) if slot else float(rng.choice([1000.0, 1150.0, 1500.0, 1800.0]))
    axis = distance - float(rng.uniform(230, 380)) if not slot else distance * float(rng.uniform(0.71, 0.78))
    yaw, roll, pitch = (float(np.clip(rng.normal(0, sd), -2.5 * sd, 2.5 * sd)) for sd in (4.0, 2.2, 3.0))
    whole = body.coarse if body.coarse is not None else body.fine
    low, high = _filled_bounds(whole)
    centres = np.stack([v.centre_lps_mm for v in body.vertebrae])
    top, bottom = body.fine.bounds_lps_mm[1][2], body.fine.bounds_lps_mm[0][2]
    # across the beam the film is centred between the column and the front of the body, or on the column (AP)
    middle = np.array([np.median(centres[:, 0]), (low[1] + high[1]) / 2, (top + bottom) / 2 + rng.normal(0, 15)])
    across = high[1] - low[1] if view == "lateral" else high[0] - low[0]
    columns = int((across * rng.uniform(0.92, 1.08) + 16.0) / PIXEL_MM)
    geometry = FilmGeometry(
        middle,
        rows=2 * int((top - bottom) / PIXEL_MM),
        columns=min(columns, 800),
        view=view,
        source_detector_mm=distance,
        source_axis_mm=axis,
        pixel_mm=PIXEL_MM * distance / axis,
        yaw_deg=yaw,
        roll_deg=roll,
        pitch_deg=pitch,
        slot=slot,
    )
    return _cut_to_scan(geometry, low, high, (bottom, top))


def _filled_bounds(volume: Volume) -> tuple[Float, Float]:
    """Lowest and highest LPS corner of what is not air."""
    filled = np.argwhere(volume.hu > -400)
    ijk = np.stack([np.percentile(filled, 0.2, axis=0), np.percentile(filled, 99.8, axis=0)])[:, ::-1]
    corners = volume.to_lps(ijk)
    return corners.min(axis=0), corners.max(axis=0)


def _cut_to_scan(geometry: FilmGeometry, low: Float, high: Float, scanned_z: tuple[float, float]) -> FilmGeometry:
    """The same rays on a film that ends where some ray would leave the scanned slices."""
    edges = []
    for z in (scanned_z[1], scanned_z[0]):
        corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1])])
        edges.append(geometry.to_px(corners)[:, 0])
    first, last = int(np.ceil(edges[0].max())), int(np.floor(edges[1].min()))
    return geometry.rows_between(max(first, 0), min(last, geometry.rows - 1))


def make_case(name: str, body: FilmBody, geometry: FilmGeometry, lost: Float | None = None) -> FilmCase:
    """Project a body. lost: (V,) share of a height that was taken from each vertebra, NaN (or None) for none."""
    film = project(body.parts(), geometry)
    points = np.stack([v.keypoints_lps_mm for v in body.vertebrae])
    heights = np.stack([v.heights_mm for v in body.vertebrae])
    px = film.to_px(points)
    return FilmCase(
        name=name,
        source=body.name,
        view=geometry.view,
        soft=film.soft,
        bone=film.bone,
        pixel_mm=film.pixel_mm,
        points=px.astype(np.float32),
        levels=tuple(v.level or "" for v in body.vertebrae),
        confidence=np.array([v.confidence for v in body.vertebrae], dtype=np.float32),
        lost=np.full(len(px), np.nan, dtype=np.float32) if lost is None else lost.astype(np.float32),
        loss=(1.0 - heights.min(axis=1) / heights.max(axis=1)).astype(np.float32),
        known_rows=(float(px[0, :, 0].min()), float(px[-1, :, 0].max())),
        sacrum=np.full((2, 2), np.nan, dtype=np.float32),
    )
