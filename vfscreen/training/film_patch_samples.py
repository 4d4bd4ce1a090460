"""Training samples of the film endplate network: patches of the vertebrae of freshly exposed cases.

Belongs here: drawing the patches of an exposure, where a detector's error puts them. Does not belong here: cases
(film_cases), what a film looks like (synthesis.film_look), patches (spine.film_patches), losses (endplate_losses).

A patch is placed by the points that a detector found, and a detector takes a collapsed body for a taller one: what
disturbs a frame here depends on the body's depth alone, never on its height.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from vfscreen.models.cards import FilmCard
from vfscreen.models.endplates import CORNERS
from vfscreen.models.film_tone import normalise
from vfscreen.spine.film_patches import FilmPatchFrame, FilmPatchSpec, sample_film_patches
from vfscreen.training.film_cases import FilmCase
from vfscreen.training.film_exposing import expose_window
from vfscreen.training.film_truth import case_points

Float = NDArray[np.float64]

PATCH_TONE = FilmCard(long_side_px=None, sigma_px=40.0, floor=0.03)
NEIGHBOURS = 5
"""Vertebrae of one exposure: what an exposure costs is shared."""
SHIFT, SCALE_LOG, TURN_DEG = 0.07, 0.10, 6.0
"""Standard deviations of a frame's error: share of the body's depth, log, degrees; cut off at 2.5 of them."""
MIDDLE_HALF_PX = 4.0
"""Columns about an endplate's middle whose row is known: a parabola through its three points."""
SEEN_MIN = 0.9
"""Share of a body's points that the picture must show."""


@dataclass(frozen=True, eq=False)
class FilmPatchSample:
    """image: float32 (rows, columns), normalised. corners: (4, 2) patch pixels, in the order of `endplates.CORNERS`.
    plates: (2, columns) rows of the superior and inferior endplate, NaN where unknown. weight: 0..1."""

    image: NDArray[np.float32]
    corners: NDArray[np.float32]
    plates: NDArray[np.float32]
    weight: np.float32


def draw_patch_samples(case: FilmCase, spec: FilmPatchSpec, rng: np.random.Generator) -> list[FilmPatchSample]:
    """Patches of up to `NEIGHBOURS` neighbouring vertebrae of a lateral case, exposed once; those that the picture does
    not show whole are left out, so that there may be none."""
    points = case_points(case)
    first = int(rng.integers(max(len(points) - NEIGHBOURS, 0) + 1))
    chosen = np.arange(first, min(first + NEIGHBOURS, len(points)))
    frames = [_disturbed(FilmPatchFrame.of(points[v], spec), rng) for v in chosen]
    grids = np.stack([frame.grid() for frame in frames])
    film, inside, place = expose_window(case, grids, rng)
    moved = place[0, 0, 0] - grids[0, 0, 0]
    frames = [FilmPatchFrame(f.origin_px + moved, f.down, f.back, f.px_a_patch_px, f.spec) for f in frames]
    if rng.random() < 0.3:
        film = gaussian_filter(film, rng.uniform(0.3, 1.3))
    images, known = sample_film_patches(film, inside, frames)
    samples = []
    for n, v in enumerate(chosen):
        pixels = frames[n].from_px(points[v] + moved)
        at = np.rint(pixels).astype(int)
        within = ((at >= 0) & (at < [spec.rows, spec.columns])).all(axis=1)
        at = np.clip(at, 0, [spec.rows - 1, spec.columns - 1])
        if (within & known[n][at[:, 0], at[:, 1]]).mean() < SEEN_MIN:
            continue
        weight = np.float32(np.clip(case.confidence[v] / 0.7, 0.25, 1.0))
        samples.append(
            FilmPatchSample(
                normalise(images[n], known[n], PATCH_TONE),
                pixels[CORNERS].astype(np.float32),
                plates_of(pixels, spec.columns),
                weight,
            )
        )
    return samples


def plates_of(points: Float, columns: int) -> NDArray[np.float32]:
    """(6, 2) patch pixels -> (2, columns) rows of both endplates about their middles, NaN elsewhere."""
    plates = np.full((2, columns), np.nan, dtype=np.float32)
    at = np.arange(columns, dtype=np.float64)
    for k in (0, 1):
        three = points[[k, 2 + k, 4 + k]]
        if np.ptp(three[:, 1]) < 4.0 or np.min(np.abs(np.diff(three[:, 1]))) < 1.0:
            continue
        near = np.abs(at - three[1, 1]) <= MIDDLE_HALF_PX
        plates[k, near] = np.polyval(np.polyfit(three[:, 1], three[:, 0], 2), at[near])
    return plates


def _disturbed(frame: FilmPatchFrame, rng: np.random.Generator) -> FilmPatchFrame:
    shift = np.clip(rng.normal(0, SHIFT, 2), -2.5 * SHIFT, 2.5 * SHIFT)
    turn = np.deg2rad(np.clip(rng.normal(0, TURN_DEG), -2.5 * TURN_DEG, 2.5 * TURN_DEG))
    scale = float(np.exp(np.clip(rng.normal(0, SCALE_LOG), -2.5 * SCALE_LOG, 2.5 * SCALE_LOG)))
    depth = frame.px_a_patch_px * frame.spec.body_depth_px
    return FilmPatchFrame(
        frame.origin_px + depth * (shift[0] * frame.down + shift[1] * frame.back),
        np.cos(turn) * frame.down - np.sin(turn) * frame.back,
        np.sin(turn) * frame.down + np.cos(turn) * frame.back,
        frame.px_a_patch_px * scale,
        frame.spec,
    )
