"""Long film cases from two bodies: the chest of one above the abdomen of another, joined at a disc.

Belongs here: fitting two lateral cases together. Does not belong here: making a case from a body (film_pool).

Few scans show a whole spine; films of a standing patient do. What a network must learn of them is the long column in
its surroundings, and for that the two halves need not be of one person.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from vfscreen.schema.names import LEVELS
from vfscreen.training.film_cases import FilmCase, load_case, save_case
from vfscreen.training.film_truth import body_heights_px, case_points

Float = NDArray[np.float64]

BLEND = 0.25
"""Body heights above and below the disc over which one picture passes into the other."""
LEVEL_OUT = 5.0
"""Body heights over which the lower body's thickness at the disc is brought to the upper one's."""
HEIGHT_RATIO = 1.03
"""A body's height over that of the one above it, at the thoracolumbar junction."""
WIDTH_MIN = 0.6
"""Share of the narrower picture that both must show, else the cases do not go together."""
SIZES = (0.7, 1.45)
"""How much the lower body may be enlarged."""


def stack_pool(pool: Path, count: int, seed: int = 0) -> Iterator[Path]:
    """Write `count` stacked cases of a pool's lateral ones into it, drawn at random; yields their files.

    Raises ValueError where no two sources of the pool fit together.
    """
    rng = np.random.default_rng([41, seed])
    files = sorted(p for p in pool.glob("lateral-*.npz") if "-stacked-" not in p.name)
    by_source: dict[str, list[Path]] = {}
    for file in files:
        by_source.setdefault(file.stem.rsplit("-", 2)[0], []).append(file)
    sources = sorted(by_source)
    done, failed = 0, 0
    while done < count:
        upper, lower = (load_case(_any(by_source[sources[int(rng.integers(len(sources)))]], rng)) for _ in range(2))
        case = None if upper.source == lower.source else stack(upper, lower, rng)
        if case is None:
            failed += 1
            if failed > 200 * (done + 1):
                raise ValueError(f"no two of the {len(sources)} sources in {pool} fit together")
            continue
        yield save_case(replace(case, name=f"lateral-stacked-{upper.source}+{lower.source}-{seed}-{done:03d}"), pool)
        done += 1


def stack(upper: FilmCase, lower: FilmCase, rng: np.random.Generator) -> FilmCase | None:
    """Both cases as one, the lower at the upper's scale; None where they do not fit.

    They are joined below a thoracic or first lumbar level that `upper` shows and after which `lower` goes on.
    """
    cut = _cut(upper.levels, lower.levels, rng)
    if cut is None:
        return None
    last, first = cut
    above, below = case_points(upper), case_points(lower)
    tall = _smooth_height(above, last)
    scale = HEIGHT_RATIO * tall / _smooth_height(below, first)
    if not SIZES[0] <= scale <= SIZES[1]:
        return None
    below = (below + 0.5) * scale - 0.5
    soft, bone = (zoom(image, scale, order=1, grid_mode=True, mode="nearest") for image in (lower.soft, lower.bone))

    # the disc: half a step below the last body of the upper case, half a step above the first of the lower one
    seam_above = (above[last, 1::2].mean(axis=0) + _next_top(above, last)) / 2
    seam_below = (below[first, 0::2].mean(axis=0) + _next_top(below[::-1, ::-1], len(below) - 1 - first)) / 2
    shift = np.rint(seam_above - seam_below).astype(int)
    seam = round(float(seam_above[0]))
    blend = max(int(BLEND * tall), 1)
    height, width = upper.soft.shape
    left, right = max(0, int(shift[1])), min(width, soft.shape[1] + int(shift[1]))
    if right - left < WIDTH_MIN * min(width, soft.shape[1]) or seam + blend > height or seam - blend < shift[0]:
        return None

    rows = soft.shape[0] + int(shift[0])
    share = np.clip((np.arange(rows) - (seam - blend)) / (2.0 * blend), 0.0, 1.0)[:, None]  # of the lower case
    lower_soft = _placed(soft, rows, shift, left, right)
    thick = np.median(upper.soft[seam - blend : seam + blend, left:right])
    gain = thick / max(float(np.median(lower_soft[seam - blend : seam + blend])), 1.0)
    fade = np.clip(1.0 - (np.arange(rows) - seam) / (LEVEL_OUT * tall), 0.0, 1.0)[:, None]
    lower_soft = lower_soft * (1.0 + (np.clip(gain, 0.5, 2.0) - 1.0) * fade)
    still = slice(0, min(height, rows))

    def joined(one: NDArray[np.float32], other: Float) -> NDArray[np.float32]:
        whole = np.zeros((rows, right - left))
        whole[still] = one[still, left:right]
        return np.asarray(whole * (1.0 - share) + other * share, dtype=np.float32)

    offset = np.array([0.0, left])
    kept, added = slice(0, last + 1), slice(first, None)
    return FilmCase(
        name="",
        source=f"stacked-{upper.source}+{lower.source}",
        view="lateral",
        soft=joined(upper.soft, lower_soft),
        bone=joined(upper.bone, _placed(bone, rows, shift, left, right)),
        pixel_mm=upper.pixel_mm,
        points=np.concatenate([above[kept] - offset, below[added] + shift - offset]).astype(np.float32),
        levels=upper.levels[kept] + lower.levels[added],
        confidence=np.concatenate([upper.confidence[kept], lower.confidence[added]]),
        lost=np.concatenate([upper.lost[kept], lower.lost[added]]),
        loss=np.concatenate([upper.loss[kept], lower.loss[added]]),
        known_rows=(upper.known_rows[0], (lower.known_rows[1] + 0.5) * scale - 0.5 + float(shift[0])),
        sacrum=((lower.sacrum + 0.5) * scale - 0.5 + shift - offset).astype(np.float32),
    )


def _any(files: Sequence[Path], rng: np.random.Generator) -> Path:
    return files[int(rng.integers(len(files)))]


def _cut(upper: Sequence[str], lower: Sequence[str], rng: np.random.Generator) -> tuple[int, int] | None:
    """Index of the last body taken of `upper` and of the first of `lower`, at least three of each."""
    options = [
        (i, j)
        for i, a in enumerate(upper)
        for j, b in enumerate(lower)
        if _follows(a, b) and i >= 2 and len(lower) - j >= 3
    ]
    return options[int(rng.integers(len(options)))] if options else None


def _follows(a: str, b: str) -> bool:
    """Is b the next level below a, at the lower thoracic spine or the thoracolumbar junction?"""
    usual = [level for level in LEVELS if level not in ("T13", "L6")]
    return (a, b) in list(pairwise(usual))[usual.index("T8") : usual.index("L2") + 1]


def _smooth_height(points: Float, index: int) -> float:
    """Height of a body by its neighbours: the median of the largest heights of the nearest five."""
    near = slice(max(index - 2, 0), index + 3)
    return float(np.median(body_heights_px(points[near]).max(axis=1)))


def _next_top(points: Float, index: int) -> Float:
    """(2,) where the next body begins: of the case itself, or as far on as a disc is high."""
    if index + 1 < len(points):
        return np.asarray(points[index + 1, 0::2].mean(axis=0))
    top, bottom = points[index, 0::2].mean(axis=0), points[index, 1::2].mean(axis=0)
    return np.asarray(bottom + 0.25 * (bottom - top))


def _placed(image: NDArray[np.float32], rows: int, shift: NDArray[np.int_], left: int, right: int) -> Float:
    """The lower picture on the joined one's rows and columns; its first row above where it begins."""
    row = np.clip(np.arange(rows) - int(shift[0]), 0, image.shape[0] - 1)
    column = np.arange(left, right) - int(shift[1])
    return np.asarray(image[np.ix_(row, column)], dtype=np.float64)
