"""Making film cases: draw a geometry, project a body, know its points.

Belongs here: which part of a body a film shows, and the case of it. Does not belong here: bodies (film_bodies,
film_sources), line integrals (synthesis.projection), the command line (films).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from vfscreen.geometry.volume import Volume
from vfscreen.synthesis.projection import FilmGeometry, Projection, View, project
from vfscreen.training.film_bodies import FilmBody
from vfscreen.training.film_cases import FilmCase

Float = NDArray[np.float64]
Image = NDArray[np.float32]

PIXEL_MM = 0.5
"""Size of a case's pixel in the plane of the column, larger where a film would have more than `_ROWS_MAX` rows."""
_ROWS_MAX = 1250


def draw_geometry(body: FilmBody, view: View, rng: np.random.Generator) -> FilmGeometry:
    """A geometry for a film of the whole body as far as it was scanned: table, wall stand or slot scanner."""
    slot = bool(rng.random() < 0.2)
    distance = float(rng.uniform(1250, 1350)) if slot else float(rng.choice([1000.0, 1150.0, 1500.0, 1800.0]))
    axis = distance - float(rng.uniform(230, 380)) if not slot else distance * float(rng.uniform(0.71, 0.78))
    yaw, roll, pitch = (float(np.clip(rng.normal(0, sd), -2.5 * sd, 2.5 * sd)) for sd in (4.0, 2.2, 3.0))
    whole = body.coarse if body.coarse is not None else body.fine
    low, high = _filled_bounds(whole)
    centres = np.stack([v.centre_lps_mm for v in body.vertebrae])
    top, bottom = body.fine.bounds_lps_mm[1][2], body.fine.bounds_lps_mm[0][2]
    # across the beam the film is centred between the column and the front of the body, or on the column (AP)
    middle = np.array([np.median(centres[:, 0]), (low[1] + high[1]) / 2, (top + bottom) / 2 + rng.normal(0, 15)])
    if body.wrapped:  # room for the body that is made up
        low = low - np.array([60.0, rng.uniform(20, 90), 0.0])
        high = high + np.array([60.0, rng.uniform(5, 30), 0.0])
        middle[1] = (low[1] + high[1]) / 2
    across = high[1] - low[1] if view == "lateral" else high[0] - low[0]
    pixel_mm = max(PIXEL_MM, (top - bottom) / _ROWS_MAX)
    columns = int((across * rng.uniform(0.92, 1.08) + 16.0) / pixel_mm)
    geometry = FilmGeometry(
        middle,
        rows=2 * int((top - bottom) / pixel_mm),
        columns=min(columns, 800),
        view=view,
        source_detector_mm=distance,
        source_axis_mm=axis,
        pixel_mm=pixel_mm * distance / axis,
        yaw_deg=yaw,
        roll_deg=roll,
        pitch_deg=pitch,
        slot=slot,
    )
    return _cut_to_scan(geometry, low, high, (bottom, top))


def _filled_bounds(volume: Volume) -> tuple[Float, Float]:
    """Lowest and highest LPS corner of what is not air."""
    filled = volume.hu > -400
    ends = [np.flatnonzero(filled.mean(axis=tuple({0, 1, 2} - {a})) > 0.01)[[0, -1]] for a in (2, 1, 0)]
    ijk = np.array(ends, dtype=np.float64).T
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


def make_case(
    name: str, body: FilmBody, geometry: FilmGeometry, rng: np.random.Generator, lost: Float | None = None
) -> FilmCase:
    """Project a body. lost: (V,) share of a height that was taken from each vertebra, NaN (or None) for none."""
    film = project(body.parts(), geometry)
    soft = film.soft
    if body.wrapped:
        water = replace(body, fine=Volume(np.zeros_like(body.fine.hu), body.fine.affine_lps))
        soft = soft + _made_up_mm(project(water.parts(), geometry).soft, film, body, rng)
    points = np.stack([v.keypoints_lps_mm for v in body.vertebrae])
    heights = np.stack([v.heights_mm for v in body.vertebrae])
    px = film.to_px(points)
    return FilmCase(
        name=name,
        source=body.name,
        view=geometry.view,
        soft=soft,
        bone=film.bone,
        pixel_mm=film.pixel_mm,
        points=px.astype(np.float32),
        levels=tuple(v.level or "" for v in body.vertebrae),
        confidence=np.array([v.confidence for v in body.vertebrae], dtype=np.float32),
        lost=np.full(len(px), np.nan, dtype=np.float32) if lost is None else lost.astype(np.float32),
        loss=(1.0 - heights.min(axis=1) / heights.max(axis=1)).astype(np.float32),
        known_rows=(float(px[0, :, 0].min()), float(px[-1, :, 0].max())),
        sacrum=np.full((2, 2), np.nan, dtype=np.float32)
        if body.sacrum_lps_mm is None
        else film.to_px(body.sacrum_lps_mm).astype(np.float32),
    )


def _made_up_mm(there: Image, film: Projection, body: FilmBody, rng: np.random.Generator) -> Image:
    """Soft tissue (mm of water) that a body would have around a bare column of which `there` mm are in the volume.

    A trunk of smooth outline: thin where lung is, thick below, its skin before and behind the column.
    """
    rows, columns = there.shape
    centres = film.to_px(np.stack([v.centre_lps_mm for v in body.vertebrae]))
    column = np.interp(np.arange(rows), centres[:, 0], centres[:, 1])
    column = gaussian_filter1d(column, 40.0 / film.pixel_mm, mode="nearest")[:, None]
    thoracic = np.array([v.level is not None and v.level[0] == "T" for v in body.vertebrae], dtype=np.float64)
    lung = gaussian_filter1d(np.interp(np.arange(rows), centres[:, 0], thoracic), 25.0 / film.pixel_mm)[:, None]
    thick = rng.uniform(170, 330) * (1.0 - lung * rng.uniform(0.3, 0.6))
    from_column = (np.arange(columns)[None, :] - column) * film.pixel_mm
    before, behind = rng.uniform(110, 190), rng.uniform(60, 100)
    share = np.where(from_column < 0, -from_column / before, from_column / behind)
    outline = np.sqrt(np.clip(1.0 - share**2, 0.0, 1.0))
    texture = gaussian_filter(rng.standard_normal((rows, columns), dtype=np.float32), 6.0 / film.pixel_mm)
    trunk = thick * outline * (1.0 + rng.uniform(0.0, 0.02) * texture / max(float(texture.std()), 1e-6))
    return np.asarray(np.maximum(trunk - there, 0.0), dtype=np.float32)
