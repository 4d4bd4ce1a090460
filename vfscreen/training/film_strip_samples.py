"""Training samples of the film vertebra network: windows of straightened strips of freshly exposed cases.

Belongs here: drawing a sample. Does not belong here: cases (film_cases), courses (film_truth), what a film looks like
(synthesis.exposure), losses.

The points go through the exact inverse of the map the pixels came through.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from vfscreen.models.cards import FilmCard
from vfscreen.models.film_tone import normalise
from vfscreen.models.networks2d import STRIDE
from vfscreen.schema.names import LEVELS
from vfscreen.spine.film_strip import StripSpec, sample_film, strip_grid
from vfscreen.training.film_cases import FilmCase
from vfscreen.training.film_exposing import expose_window
from vfscreen.training.film_truth import case_points, disturbed, known_rows, true_course

Float = NDArray[np.float64]

ROWS = 224
MAX_VERTEBRAE = 12
WHOLE_SHARE = 0.8
"""A vertebra cut by the window is trained on where at least this share of its height is in view, ignored below it."""
NEAR_SHARE = 0.6
"""Share of samples whose course is as good as a locator's usually is; the rest lie farther beside the bodies, as a
first look at a film may: a detector that never saw that takes facets or ribs for bodies there."""
STRIP_TONE = FilmCard(long_side_px=None, sigma_px=32.0, floor=0.03)


@dataclass(frozen=True, eq=False)
class StripSample:
    """image: float32 (rows, columns), normalised. points: (MAX_VERTEBRAE, 6, 2) strip pixels. weight: (MAX_VERTEBRAE,)
    0 where there is no vertebra. level: index or -1. fracture: soft target 0..1 or -1. judged: bool (rows / STRIDE,
    columns / STRIDE), cells where the absence of a centre is known."""

    image: NDArray[np.float32]
    points: NDArray[np.float32]
    weight: NDArray[np.float32]
    level: NDArray[np.int64]
    fracture: NDArray[np.float32]
    judged: NDArray[np.bool_]


def draw_strip_sample(case: FilmCase, spec: StripSpec, rng: np.random.Generator, rows: int = ROWS) -> StripSample:
    """One random window of a lateral case."""
    points = case_points(case)
    strength = 1.0 if rng.random() < NEAR_SHARE else float(rng.uniform(1.0, 2.5))
    course = disturbed(true_course(points, anterior_is_right=False), rng, strength)
    pixels = (course.from_px(points) + np.array([0.0, spec.anterior])) * spec.pixels_a_body_height
    first = float(rng.choice(pixels[..., 0].mean(axis=1))) + rng.normal(0, 0.25 * rows) - rows / 2
    # most of the window on the column, whose ends are looked at often enough
    low, high = pixels[..., 0].min() - 0.3 * rows, pixels[..., 0].max() - 0.7 * rows
    first = float(np.clip(first, min(low, high), max(low, high)))
    pixels[..., 0] -= first
    at = strip_grid(course, spec, first / spec.pixels_a_body_height, rows)
    scale = float(np.median(course.body_height_px)) / spec.pixels_a_body_height
    film, inside, place = expose_window(case, at, rng)
    strip, known = sample_film(film, inside, place, scale)
    if rng.random() < 0.3:
        strip = gaussian_filter(strip, rng.uniform(0.3, 1.3))
    image = normalise(strip, known, STRIP_TONE)
    beyond = (at < -0.5).any(axis=-1) | (at > np.array(case.soft.shape) - 0.5).any(axis=-1)
    first_known, last_known = known_rows(case)
    judged = beyond | ((at[..., 0] >= first_known) & (at[..., 0] <= last_known))
    return _assemble(case, image, known, pixels, judged)


def _assemble(
    case: FilmCase, image: NDArray[np.float32], inside: NDArray[np.bool_], pixels: Float, judged: NDArray[np.bool_]
) -> StripSample:
    rows, columns = image.shape
    points = np.zeros((MAX_VERTEBRAE, 6, 2), dtype=np.float32)
    weight = np.zeros(MAX_VERTEBRAE, dtype=np.float32)
    level = np.full(MAX_VERTEBRAE, -1, dtype=np.int64)
    fracture = np.full(MAX_VERTEBRAE, -1.0, dtype=np.float32)
    judged = judged[::STRIDE, ::STRIDE].copy()
    count = 0
    for v in range(len(pixels)):
        top, bottom = float(pixels[v, 0::2, 0].mean()), float(pixels[v, 1::2, 0].mean())
        share = (min(bottom, rows) - max(top, 0.0)) / max(bottom - top, 1.0)
        if share <= 0.0:
            continue
        at = np.clip(np.rint(pixels[v]), 0, [rows - 1, columns - 1]).astype(int)
        seen = inside[at[:, 0], at[:, 1]].mean()
        if share < WHOLE_SHARE or seen < 0.6 or count == MAX_VERTEBRAE:
            judged[max(int(top - 4) // STRIDE, 0) : max(int(bottom + 4) // STRIDE, 0)] = False
            continue
        points[count] = pixels[v]
        weight[count] = np.clip(case.confidence[v] / 0.7, 0.25, 1.0) * seen
        level[count] = LEVELS.index(case.levels[v]) if case.levels[v] in LEVELS else -1
        fracture[count] = _fractured(float(case.lost[v]), float(case.loss[v]))
        count += 1
    return StripSample(image, points, weight, level, fracture, judged)


def _fractured(lost: float, loss: float) -> float:
    """Soft target: by what a synthetic fracture took, else by the raw loss, which normal shapes have up to 0.2 of."""
    if np.isfinite(lost):
        return float(np.clip((lost - 0.10) / 0.15, 0.0, 1.0))
    return float(np.clip((loss - 0.22) / 0.08, 0.0, 1.0))
