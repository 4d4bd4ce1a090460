"""Small projections of whole bodies for the film view network: lateral, AP, oblique and from above.

Belongs here: geometries, what each case shows and where its levels lie. Does not belong here: windows, exposure and
turning (view_data), the command line (view).

Film cases of the big pool (film_cases) serve as well, binned to the same pixels; what they lack is obliques.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfscreen.schema.names import LEVELS
from vfscreen.synthesis.projection import FilmGeometry, View, project
from vfscreen.training.film_bodies import FilmBody
from vfscreen.training.film_cases import FilmCase
from vfscreen.training.film_pool import draw_geometry

Float = NDArray[np.float64]
Image = NDArray[np.float32]

PIXEL_MM = 2.0
OBLIQUE_DEG = (28.0, 62.0)
"""Turned so far the body is neither lateral nor AP; a film turned by less than about 12 degrees is read as it is."""
SHAPES: dict[str, int] = {"lateral": 4, "ap": 4, "oblique": 5, "axial": 1}
"""Projections a body of each kind."""
SPACING_MM = {"C": 18.0, "T": 25.0, "L": 36.0}
"""Between neighbours, for naming what nobody read; good to half a vertebra over three or four levels."""


@dataclass(frozen=True, eq=False)
class ViewCase:
    """soft, bone: float32 (rows, columns), mm of water at pixel_mm. view: lateral, ap or other; lateral: front to the
    left. centres_px: level -> (row, column) of its body's centre, read or counted on; empty where unknown."""

    name: str
    source: str
    view: str
    soft: Image
    bone: Image
    pixel_mm: float
    centres_px: dict[str, Float]


def project_body(body: FilmBody, seed: int) -> Iterator[ViewCase]:
    """Every projection of one body by SHAPES."""
    rng = np.random.default_rng([sum(body.name.encode()), seed])
    known = {v.level: v.centre_lps_mm for v in body.vertebrae if v.level in LEVELS}
    centres = counted_on(known)
    for kind, count in SHAPES.items():
        for n in range(count):
            geometry = _geometry(body, kind, rng)
            film = project(body.parts(), geometry)
            px = {} if kind == "axial" else {level: film.to_px(centre) for level, centre in centres.items()}
            view = kind if kind in ("lateral", "ap") else "other"
            yield ViewCase(f"{kind}-{body.name}-{n}", body.name, view, film.soft, film.bone, film.pixel_mm, px)


def _geometry(body: FilmBody, kind: str, rng: np.random.Generator) -> FilmGeometry:
    view: View = "ap" if kind == "ap" else "lateral"
    drawn = draw_geometry(body, view, rng)
    coarser = PIXEL_MM / drawn.axis_pixel_mm
    rows, columns = int(drawn.rows / coarser), int(drawn.columns / coarser)
    scaled = replace(
        drawn, pixel_mm=drawn.pixel_mm * coarser, rows=rows, columns=columns, first_row=drawn.first_row / coarser
    )
    if kind == "oblique":
        return replace(scaled, yaw_deg=float(rng.uniform(*OBLIQUE_DEG) * rng.choice([-1.0, 1.0])), slot=False)
    if kind == "axial":
        return replace(scaled, roll_deg=float(90 + rng.normal(0, 10)), rows=columns, first_row=0.0, slot=False)
    return scaled


def counted_on(known: dict[str, Float]) -> dict[str, Float]:
    """Centres (3,) of T1 to L5: those that were read, and from the outermost of them on, straight up and down."""
    wanted = [level for level in LEVELS if level[0] in "TL" and level not in ("T13", "L6")]
    read = [n for n, level in enumerate(wanted) if level in known]
    if not read:
        return {}
    found = {wanted[n]: np.asarray(known[wanted[n]], dtype=np.float64) for n in read}
    for start, stop, step in ((read[0], -1, -1), (read[-1], len(wanted), 1)):
        centre = found[wanted[start]]
        for n in range(start + step, stop, step):
            centre = centre + np.array([0.0, 0.0, -step * SPACING_MM[wanted[n][0]]])
            found[wanted[n]] = centre
    return found


def from_film_case(case: FilmCase, name: str) -> ViewCase:
    """A case of the big pool at PIXEL_MM, under another name."""
    factor = max(round(PIXEL_MM / case.pixel_mm), 1)

    def binned(image: Image) -> Image:
        rows, columns = (n // factor for n in image.shape)
        blocks = image[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
        return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)

    middles = (case.points.mean(axis=1) - (factor - 1) / 2) / factor
    centres = {level: m.astype(np.float64) for level, m in zip(case.levels, middles, strict=True) if level}
    return ViewCase(
        case.name, case.source, case.view, binned(case.soft), binned(case.bone), case.pixel_mm * factor, centres
    )


def save_view_case(case: ViewCase, folder: Path) -> Path:
    """Keep a case as NAME.npz, whole or not at all."""
    path = folder / f"{case.name}.npz"
    draft = path.with_suffix(".part")
    with draft.open("wb") as stream:
        np.savez_compressed(
            stream,
            source=np.array(case.source),
            view=np.array(case.view),
            soft=case.soft.astype(np.float16),
            bone=case.bone.astype(np.float16),
            pixel_mm=np.float64(case.pixel_mm),
            levels=np.array(list(case.centres_px), dtype="U4"),
            centres=np.array(list(case.centres_px.values()), dtype=np.float64).reshape(-1, 2),
        )
    draft.replace(path)
    return path


def load_view_case(path: Path) -> ViewCase:
    """A case kept by `save_view_case`."""
    with np.load(path, allow_pickle=False) as kept:
        return ViewCase(
            name=path.stem,
            source=str(kept["source"]),
            view=str(kept["view"]),
            soft=kept["soft"].astype(np.float32),
            bone=kept["bone"].astype(np.float32),
            pixel_mm=float(kept["pixel_mm"]),
            centres_px={str(n): c for n, c in zip(kept["levels"], kept["centres"], strict=True)},
        )
