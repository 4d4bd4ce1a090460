"""Samples for the film view network: windows of projections, exposed, turned, mirrored; and pictures of other things.

Belongs here: what a sample shows and its labels. Does not belong here: projections (view_cases), losses (view_train).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter
from torch import Tensor

from vfscreen.models.cards import FilmCard
from vfscreen.models.film_ports import BODY_REGIONS, VIEWS
from vfscreen.models.film_view import prepare_film
from vfscreen.synthesis.exposure import draw_exposure, expose
from vfscreen.training.view_cases import ViewCase

Float = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

TONE = FilmCard(long_side_px=192, sigma_px=24.0, floor=0.05)
UNKNOWN = -1
"""A label that the sample says nothing of."""

VIEW_SHARES = {"lateral": 0.42, "ap": 0.28, "other": 0.3}
JUNK_SHARE = 0.35
"""Of the pictures that are neither lateral nor AP: those that are no projection of a trunk at all."""
UPRIGHT_SHARE = 0.55
INVERTED_SHARE = 0.06
MIN_SIDE_MM, WIDEST = 150.0, 1.4
"""Of a window: its least height, and its width in heights where it is as wide as the body."""
NEW_SHARE, KEPT = 0.2, 900
"""Of a batch that is exposed anew; the rest are some of the last KEPT samples, turned and mirrored anew."""


@dataclass(frozen=True, eq=False)
class ViewSample:
    """image: (2, S, S). view, region, rotation: indices, UNKNOWN where it says nothing. facing_right: 0, 1 or UNKNOWN,
    of the picture once it is turned by `rotation`."""

    image: Image
    view: int
    region: int
    rotation: int
    facing_right: int


@dataclass(frozen=True, eq=False)
class ViewBatch:
    """image: (N, 2, S, S); the others (N,)."""

    image: Tensor
    view: Tensor
    region: Tensor
    rotation: Tensor
    facing_right: Tensor


def region_of(levels: Sequence[str], whole_body: bool) -> str:
    """The part of the body that a lateral or AP film shows. levels: whose centres are well in view. whole_body: whether
    the film is as wide as the trunk there, as films of the chest are."""
    thoracic, lumbar = (sum(level[0] == letter for level in levels) for letter in "TL")
    if thoracic >= 10 and lumbar >= 4:
        return "whole_spine"
    if thoracic >= 7 and lumbar <= 2 and whole_body:
        return "chest"
    if thoracic >= 3 and lumbar >= 3:
        return "thoracolumbar"
    if thoracic + lumbar < 2:
        return "other"
    return "thoracic" if thoracic > lumbar else "lumbar"


def sample_case(case: ViewCase, rng: np.random.Generator) -> ViewSample:
    """A window of a projection as a film, turned."""
    rows, columns = _window(case, rng)
    soft, bone = case.soft[rows, columns], case.bone[rows, columns]
    film = expose(soft, bone, case.pixel_mm, draw_exposure(rng))
    film = gaussian_filter(film, rng.uniform(0.0, 1.2)) if rng.random() < 0.5 else film
    if rng.random() < INVERTED_SHARE:
        film = 1.0 - film
    inside = np.ones(film.shape, dtype=np.bool_)
    film, inside = _tilted(film, inside, float(np.clip(rng.normal(0, 5), -15, 15)))
    film, inside = _collimated(film, inside, rng)
    mirrored = rng.random() < 0.5
    if mirrored:
        film, inside = film[:, ::-1], inside[:, ::-1]
    turns = 0 if rng.random() < UPRIGHT_SHARE else int(rng.integers(1, 4))
    film, inside = np.rot90(film, -turns), np.rot90(inside, -turns)
    trunk = case.view != "other"
    region = UNKNOWN
    if trunk:
        region = BODY_REGIONS.index(region_of(_in_view(case, rows, columns), _whole_body(case, rows, columns)))
    elif not case.centres_px:
        region = BODY_REGIONS.index("other")
    return ViewSample(
        prepare_film(np.ascontiguousarray(film), np.ascontiguousarray(inside), TONE),
        VIEWS.index(case.view),
        region,
        turns if trunk else UNKNOWN,
        int(mirrored) if case.view == "lateral" else UNKNOWN,
    )


def sample_junk(rng: np.random.Generator) -> ViewSample:
    """No film of a trunk: a limb of rods, clouds, a page of text, an empty plate."""
    side = int(rng.integers(160, 320))
    kind = str(rng.choice(["limb", "clouds", "text", "empty"], p=[0.45, 0.25, 0.2, 0.1]))
    if kind == "limb":
        film = _limb(side, rng)
    elif kind == "clouds":
        film = gaussian_filter(rng.standard_normal((side, side)), rng.uniform(1.0, 30.0))
    elif kind == "text":
        film = _text(side, rng)
    else:
        film = rng.normal(0, 0.01) * np.linspace(0, 1, side)[:, None] + rng.standard_normal((side, side)) * 0.02
    width = int(side * rng.uniform(0.5, 1.0))
    image = np.asarray(film[:, :width], dtype=np.float32)
    image = np.rot90(image, int(rng.integers(4)))
    inside = np.ones(image.shape, dtype=np.bool_)
    prepared = prepare_film(np.ascontiguousarray(image), inside, TONE)
    return ViewSample(prepared, VIEWS.index("other"), BODY_REGIONS.index("other"), UNKNOWN, UNKNOWN)


def _limb(side: int, rng: np.random.Generator) -> Float:
    """One to five long bones with soft tissue about them, sometimes a joint: no spine."""
    rows, columns = np.indices((side, side), dtype=np.float64)
    soft, bone = np.zeros((side, side)), np.zeros((side, side))
    angle = rng.normal(0, 0.15)
    count = int(rng.choice([1, 2, 5]))
    for n in range(count):
        centre = side * (0.5 + (n - (count - 1) / 2) * rng.uniform(0.1, 0.2))
        across = columns - centre - np.tan(angle + rng.normal(0, 0.05)) * (rows - side / 2)
        end = np.exp(-(((rows - rng.uniform(0, side)) / (0.1 * side)) ** 2))  # where a bone widens to its joint
        radius = side * rng.uniform(0.02, 0.07) * (1 + 0.8 * end)
        chord = np.sqrt(np.maximum(radius**2 - across**2, 0.0))
        marrow = np.sqrt(np.maximum((0.6 * radius) ** 2 - across**2, 0.0))
        bone += chord - rng.uniform(0.4, 0.9) * marrow
        flesh = radius * rng.uniform(2.0, 3.5)
        soft = np.maximum(soft, np.sqrt(np.maximum(flesh**2 - across**2, 0.0)))
    gap = np.abs(rows - rng.uniform(0.2, 0.8) * side) < rng.uniform(0.5, 3.0)
    bone = np.where(gap & (rng.random() < 0.5), 0.0, bone)
    return expose(soft.astype(np.float32), bone.astype(np.float32), 1.2, draw_exposure(rng)).astype(np.float64)


def _text(side: int, rng: np.random.Generator) -> Float:
    """Lines of marks on a plain ground."""
    page = np.full((side, side), rng.choice([0.0, 1.0]))
    ink = 1.0 - page[0, 0]
    pitch = int(rng.integers(6, 16))
    for row in range(pitch, side - pitch, pitch):
        if rng.random() < 0.8:
            marks = rng.random(side) < 0.5
            end = int(side * rng.uniform(0.3, 0.95))
            page[row : row + pitch // 2, :end] = np.where(marks[:end], ink, page[row : row + pitch // 2, :end])
    return page + 0.02 * rng.standard_normal(page.shape)


def _window(case: ViewCase, rng: np.random.Generator) -> tuple[slice, slice]:
    """Part of a case: rows at random; columns whole, or coned about the column where it is known. No film is much wider
    than it is high."""
    height_all, width_all = case.bone.shape
    least = MIN_SIDE_MM / case.pixel_mm
    height = int(np.clip(height_all * rng.uniform(0.3, 1.05), min(least, height_all), height_all))
    whole = rng.random() < 0.4
    if whole:
        height = max(height, min(int(width_all / WIDEST), height_all))
    top = int(rng.integers(0, height_all - height + 1))
    rows = slice(top, top + height)
    centres = np.array([c for c in case.centres_px.values() if rows.start <= c[0] < rows.stop]).reshape(-1, 2)
    if len(centres) == 0 or whole:
        cut = rng.uniform(0.0, 0.12, 2) * width_all
        return rows, slice(int(cut[0]), int(width_all - cut[1]))
    # coned to the column, which a lateral film has off its middle as often as in it
    low, high = centres[:, 1].min(), centres[:, 1].max()
    before, behind = rng.uniform(40, 130, 2) / case.pixel_mm
    left, right = max(int(low - before), 0), min(int(high + behind), width_all)
    return rows, slice(left, max(right, left + 16))


def _in_view(case: ViewCase, rows: slice, columns: slice) -> list[str]:
    margin = 8.0 / case.pixel_mm
    return [
        level
        for level, (row, column) in case.centres_px.items()
        if rows.start + margin <= row < rows.stop - margin and columns.start <= column < columns.stop
    ]


def _whole_body(case: ViewCase, rows: slice, columns: slice) -> bool:
    """Whether nearly all that the beam met at these rows is within the window."""
    met = case.soft[rows].sum(axis=0)
    return bool(met[columns].sum() > 0.93 * met.sum())


def _tilted(film: Image, inside: Mask, angle_deg: float) -> tuple[Image, Mask]:
    angle = np.deg2rad(angle_deg)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = (np.array(film.shape) - 1) / 2
    offset = middle - matrix @ middle
    turned = affine_transform(film, matrix, offset, order=1, output=np.float32, mode="nearest")
    known = affine_transform(inside.astype(np.float32), matrix, offset, order=1, output=np.float32) > 0.99
    return turned, known


def _collimated(film: Image, inside: Mask, rng: np.random.Generator) -> tuple[Image, Mask]:
    """Sometimes the edge of the film is black or white, and it is known or not that this is no patient."""
    edge = np.zeros(film.shape, dtype=np.bool_)
    if rng.random() < 0.35:
        cuts = (rng.uniform(0.0, 0.1, 4) * np.repeat(film.shape, 2)).astype(int)
        edge[: cuts[0]] = edge[film.shape[0] - cuts[1] :] = True
        edge[:, : cuts[2]] = edge[:, film.shape[1] - cuts[3] :] = True
    film = np.where(edge | ~inside, np.float32(rng.choice([0.0, 1.0])), film)
    return film, inside & ~edge if rng.random() < 0.5 else np.ones_like(inside)


def draw_sample(grouped: dict[str, list[ViewCase]], rng: np.random.Generator) -> ViewSample:
    """One sample: a view by VIEW_SHARES, then a source, then one of its cases."""
    views = [view for view in VIEWS if grouped.get(view)]
    shares = np.array([VIEW_SHARES[view] for view in views])
    view = str(rng.choice(views, p=shares / shares.sum()))
    if view == "other" and rng.random() < JUNK_SHARE:
        return sample_junk(rng)
    cases = grouped[view]
    source = str(rng.choice(sorted({c.source for c in cases})))
    of_source = [c for c in cases if c.source == source]
    return sample_case(of_source[int(rng.integers(len(of_source)))], rng)


def by_view(cases: Sequence[ViewCase]) -> dict[str, list[ViewCase]]:
    """Cases by what they show."""
    return {view: [c for c in cases if c.view == view] for view in VIEWS}


def stack(samples: Sequence[ViewSample], device: torch.device) -> ViewBatch:
    """Samples as a batch."""
    labels = np.array([[s.view, s.region, s.rotation, s.facing_right] for s in samples], dtype=np.int64)
    image = torch.from_numpy(np.stack([s.image for s in samples])).to(device)
    return ViewBatch(image, *torch.from_numpy(labels).to(device).unbind(dim=1))


def seen_again(sample: ViewSample, rng: np.random.Generator) -> ViewSample:
    """A sample turned and mirrored anew: far cheaper than another exposure, and no less of a film."""
    image, rotation, facing = sample.image, sample.rotation, sample.facing_right
    if rng.random() < 0.5:
        image = image[:, :, ::-1]
        rotation = rotation if rotation == UNKNOWN else -rotation % 4
        facing = facing if facing == UNKNOWN else 1 - facing
    if rng.random() > UPRIGHT_SHARE:
        turns = int(rng.integers(1, 4))
        image = np.rot90(image, turns, axes=(1, 2))
        rotation = rotation if rotation == UNKNOWN else (rotation - turns) % 4
    return ViewSample(np.ascontiguousarray(image), sample.view, sample.region, rotation, facing)


def batches(cases: Sequence[ViewCase], batch: int, seed: tuple[int, int], device: torch.device) -> Iterator[ViewBatch]:
    """Batches for ever. Raises ValueError without lateral and AP cases."""
    grouped = by_view(cases)
    if not grouped["lateral"] or not grouped["ap"]:
        raise ValueError("training needs lateral and AP cases: project some bodies first")
    rng = np.random.default_rng(seed)
    kept: list[ViewSample] = []
    while True:
        new = [draw_sample(grouped, rng) for _ in range(max(round(batch * NEW_SHARE), 1))]
        again = [seen_again(kept[int(rng.integers(len(kept)))], rng) for _ in range(batch - len(new))] if kept else []
        kept = [*kept, *new][-KEPT:]
        yield stack([*new, *again], device)
