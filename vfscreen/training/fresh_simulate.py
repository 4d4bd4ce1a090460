"""Simulated crops of fresh and old fractures from a pool of projected bodies.

Belongs here: which vertebra of which case, its patch, exposure and crop. Does not belong here: the fractures
(synthesis.fresh_fracture), the pool (films), what is kept of a crop (fresh_items).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from vfscreen.spine.film_crop import CropSpec, crop_vertebra
from vfscreen.spine.patches import body_axes
from vfscreen.synthesis.exposure import Exposure, draw_exposure, expose
from vfscreen.synthesis.fresh_fracture import BodyPatch, draw_fracture, fracture_patch
from vfscreen.training.film_cases import FilmCase, load_case

Float = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

LEVELS = ("T7", "T8", "T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")
"""Thoracolumbar, as far up as lungs and shoulders leave a body to see."""
CONFIDENCE_MIN = 0.5
PATCH_DEPTHS = 3.6
PHOTONS_MIN, SCATTER_MAX, BLUR_MAX_MM = 1e6, 0.3, 0.4
POINT_NOISE = 0.02
"""Of the depth: how far off a detector's points are, from which crops will be cut."""


@dataclass(frozen=True, eq=False)
class SimulatedCrop:
    """image, inside: (pixels, pixels) film values. source: whose body. fresh: the label."""

    name: str
    source: str
    level: str
    fresh: bool
    loss: float
    image: Image
    inside: Mask


def usable(case: FilmCase) -> list[int]:
    """Vertebrae of a lateral case that may be fractured: unbroken so far, wholly in view, with points to trust."""
    found = []
    size = np.array(case.bone.shape)
    for n, (points, level) in enumerate(zip(case.points, case.levels, strict=True)):
        if case.view != "lateral" or level not in LEVELS or case.confidence[n] < CONFIDENCE_MIN:
            continue
        if not np.isfinite(points).all() or np.isfinite(case.lost[n]):
            continue
        if (points > 12).all() and (points < size - 12).all():
            found.append(n)
    return found


def cut_patch(case: FilmCase, index: int) -> BodyPatch:
    """A vertebra's surroundings, upright, anterior to the left, at the case's own pixel size."""
    centre, back = body_axes(case.points[index])
    depth = float(np.linalg.norm(back))
    back = back / depth
    down = np.array([back[1], -back[0]])
    down = down if down[0] > 0 else -down
    pixels = round(PATCH_DEPTHS * depth)
    middle = (pixels - 1) / 2
    offsets = np.arange(pixels) - middle
    at = centre + offsets[:, None, None] * down + offsets[None, :, None] * back
    frame = np.stack([down, back], axis=1)

    def own(points: Float) -> Float:
        return np.asarray((points.astype(np.float64) - centre) @ frame + middle)

    neighbours = [
        own(case.points[n]) if 0 <= n < len(case.points) and np.isfinite(case.points[n]).all() else None
        for n in (index - 1, index + 1)
    ]
    soft, bone = (
        map_coordinates(image, np.moveaxis(at, -1, 0), order=1, mode="nearest", output=np.float32)
        for image in (case.soft, case.bone)
    )
    return BodyPatch(soft, bone, case.pixel_mm, own(case.points[index]), neighbours[0], neighbours[1])


def legible(exposure: Exposure) -> Exposure:
    """The exposure as a radiographer would have repeated it: nobody is asked whether a fracture is fresh on a film on
    which hardly a body is seen."""
    return replace(
        exposure,
        photons=max(exposure.photons, PHOTONS_MIN),
        scatter=min(exposure.scatter, SCATTER_MAX),
        blur_mm=min(exposure.blur_mm, BLUR_MAX_MM),
    )


def simulate_crop(case: FilmCase, index: int, fresh: bool, spec: CropSpec, rng: np.random.Generator) -> SimulatedCrop:
    """One vertebra, fractured and exposed, cut as the chain will cut it: from points that are a little off."""
    fracture = draw_fracture(fresh, rng)
    patch = fracture_patch(cut_patch(case, index), fracture)
    film = expose(patch.soft, patch.bone, patch.pixel_mm, legible(draw_exposure(rng)))
    depth = float(np.linalg.norm(body_axes(patch.points)[1]))
    points = patch.points + rng.normal(0, POINT_NOISE * depth, patch.points.shape)
    image, inside = crop_vertebra(film, np.ones(film.shape, dtype=np.bool_), points, spec)
    level = case.levels[index]
    return SimulatedCrop(case.name, case.source, level, fresh, fracture.loss, image, inside)


def simulate(
    paths: Sequence[Path], count: int, spec: CropSpec, seed: int, exclude: tuple[str, ...] = ()
) -> Iterator[SimulatedCrop]:
    """`count` crops, fresh and old in turn of the same vertebra, sources drawn evenly.

    exclude: beginnings of sources' names. Raises ValueError where no case has a usable vertebra.
    """
    rng = np.random.default_rng([31, seed])
    by_source: dict[str, list[tuple[FilmCase, list[int]]]] = {}
    for path in paths:
        case = load_case(path)
        indices = usable(case)
        if indices and not case.source.startswith(exclude or ("\0",)):
            by_source.setdefault(case.source, []).append((case, indices))
    if not by_source:
        raise ValueError("no case of the pool has a usable vertebra: make lateral cases first")
    sources = sorted(by_source)
    for n in range(0, count, 2):
        cases = by_source[sources[(n // 2) % len(sources)]]
        case, indices = cases[int(rng.integers(len(cases)))]
        index = int(rng.choice(indices))
        for fresh in (True, False)[: count - n]:
            yield simulate_crop(case, index, fresh, spec, rng)
