"""Training samples of the film locator: windows of freshly exposed cases at low resolution.

Belongs here: drawing a sample, its target maps. Does not belong here: cases, courses (film_truth), what a film looks
like (synthesis.exposure), losses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.models.cards import FilmCard
from vfscreen.models.film_tone import normalise
from vfscreen.spine.film_course import FilmCourse
from vfscreen.spine.film_strip import sample_film
from vfscreen.training.film_cases import FilmCase
from vfscreen.training.film_exposing import expose_window
from vfscreen.training.film_truth import body_heights_px, case_points, known_rows, true_course

Float = NDArray[np.float64]

CELL = 4
"""Pixels a cell of the locator's maps."""
SHAPES = ((256, 160), (320, 160), (384, 192), (256, 224))
LINE_SIGMA = 0.20
"""Width of the line, local body heights."""
HEIGHTS_PX = (9.0, 52.0)
"""Body heights drawn, in the locator's own pixels."""
WHOLE_FILM_TONE = FilmCard(long_side_px=512, sigma_px=20.0, floor=0.03)


@dataclass(frozen=True, eq=False)
class FilmLocatorSample:
    """image: float32 (H, W), normalised. line: (H / CELL, W / CELL) 0..1 how near the column's line is. height: same
    shape, log of the local body height in pixels. judged: bool, same shape, where the line's absence is known. facing:
    1 where the patient faces right, else 0."""

    image: NDArray[np.float32]
    line: NDArray[np.float32]
    height: NDArray[np.float32]
    judged: NDArray[np.bool_]
    facing: np.float32


def draw_film_locator_sample(case: FilmCase, shape: tuple[int, int], rng: np.random.Generator) -> FilmLocatorSample:
    """One random window of a lateral case, turned, scaled, mirrored at random."""
    points = case_points(case)
    heights = body_heights_px(points).max(axis=1)
    size = np.array(case.soft.shape)
    # as much of the film as a whole film would show, or less; a body must not leave the range of sizes
    low, high = (px / float(np.median(heights)) for px in HEIGHTS_PX)
    fills = min(shape[0] / size[0], shape[1] / size[1])
    zoom = float(np.clip(fills * np.exp(abs(rng.normal(0, 0.5)) - 0.15), low, high))
    middle = _middle(points, size, shape, zoom, rng)
    angle = np.deg2rad(np.clip(rng.normal(0, 6.0), -20, 20))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / zoom
    mirrored = bool(rng.random() < 0.5)
    if mirrored:
        turn = turn @ np.diag([1.0, -1.0])

    grid = np.moveaxis(np.indices(shape), 0, -1) - (np.array(shape) - 1) / 2
    at = grid @ turn.T + middle
    binned = max(int(1.0 / zoom), 1)  # no finer than the sample can show
    film, inside, place = expose_window(case, at, rng, binned)
    sampled, known = sample_film(film, inside, place, 1.0 / (zoom * binned))
    image = normalise(sampled, known, WHOLE_FILM_TONE)

    pixels = (points - middle) @ np.linalg.inv(turn).T + (np.array(shape) - 1) / 2
    course = true_course(pixels, anterior_is_right=mirrored)
    line, height = line_maps(course, pixels, shape)
    cells = at[CELL // 2 :: CELL, CELL // 2 :: CELL]
    beyond = (cells < 0).any(axis=-1) | (cells > size - 1).any(axis=-1)
    first_known, last_known = known_rows(case)
    judged = beyond | ((cells[..., 0] >= first_known) & (cells[..., 0] <= last_known))
    return FilmLocatorSample(image, line, height, judged, np.float32(mirrored))


def _middle(
    points: Float, size: NDArray[np.int_], shape: tuple[int, int], zoom: float, rng: np.random.Generator
) -> Float:
    """Where the window's middle lies: anywhere the column stays in view, pulled to where the film fills the window."""
    target = points[int(rng.integers(len(points)))].mean(axis=0)
    extent = np.array(shape) / zoom
    middle = target + rng.uniform(-0.42, 0.42, 2) * extent
    low, high = np.minimum(extent, size) / 2, size - np.minimum(extent, size) / 2
    near = np.clip(middle, low, high)
    return np.asarray(near + rng.normal(0, 0.03, 2) * extent)


def line_maps(
    course: FilmCourse, pixels: Float, shape: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The targets `line` and `height` of a sample, from the top of the first body to the bottom of the last."""
    top, bottom = course.from_px(pixels[0, 0::2].mean(axis=0)), course.from_px(pixels[-1, 1::2].mean(axis=0))
    u = np.arange(top[0], bottom[0] + 1e-6, 1.0 / 12.0)
    place, _, _, height = course.frame_at(u)
    cells = np.moveaxis(np.indices((shape[0] // CELL, shape[1] // CELL)), 0, -1) * CELL + (CELL - 1) / 2
    flat = cells.reshape(-1, 2)
    distance2 = ((flat[:, None, :] - place[None, :, :]) ** 2).sum(axis=2)
    nearest = distance2.argmin(axis=1)
    local = height[nearest]
    # never thinner than a cell can show
    width = np.maximum(LINE_SIGMA * local, 0.7 * CELL)
    line = np.exp(-distance2[np.arange(len(flat)), nearest] / (2 * width**2))
    return line.reshape(cells.shape[:2]).astype(np.float32), np.log(local).reshape(cells.shape[:2]).astype(np.float32)
