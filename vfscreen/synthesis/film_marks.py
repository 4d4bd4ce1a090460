"""Marks on a finished picture: collimation, seams, grid lines, letters, scratches, compression.

Belongs here: what the detector, the software and the scanner of old films leave on a picture. Does not belong here:
what stood in the beam (beam_scenes), tone (exposure).
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw

Float = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Marks:
    """border: share of rows at the top and bottom and of columns at the left and right behind shutters, whose edges
    lean by `border_lean` and are `border_soft_px` soft; border_tone: how bright they are. seams: (row share, tone step
    below, line tone or NaN). grid_mm: distance of grid lines, 0 for none; grid_tone. letters: (row, column) shares and
    text, text_px high. scratches: number. light: (2,) uneven light of a film scan along rows and columns. quality: of
    JPEG, 0 for none. bits: grey levels kept.
    """

    seed: int
    border: tuple[float, float, float, float]
    border_lean: float
    border_soft_px: float
    border_tone: float
    seams: tuple[tuple[float, float, float], ...]
    grid_mm: float
    grid_tone: float
    letters: tuple[tuple[float, float, str], ...]
    text_px: float
    scratches: int
    light: tuple[float, float]
    quality: int
    bits: int


def draw_marks(rng: np.random.Generator) -> Marks:
    """Marks as archives have them; most films have few."""
    border = [0.0, 0.0, 0.0, 0.0]
    if rng.random() < 0.35:
        border = [float(rng.uniform(0, 0.12)) if rng.random() < 0.5 else 0.0 for _ in range(4)]
    seams = []
    if rng.random() < 0.15:
        for _ in range(int(rng.integers(1, 3))):
            line = float(rng.uniform(0.8, 1.0)) if rng.random() < 0.6 else float("nan")
            seams.append((float(rng.uniform(0.05, 0.95)), float(rng.normal(0, 0.08)), line))
    letters = []
    if rng.random() < 0.25:
        for _ in range(int(rng.integers(1, 4))):
            text = str(rng.choice(["L", "R", "LAT", "STEHEND", "1:1", "10", "A", "III", "cm", "LL"]))
            letters.append((float(rng.uniform(0, 0.95)), float(rng.uniform(0, 0.95)), text))
    scan = rng.random() < 0.15
    return Marks(
        seed=int(rng.integers(2**31)),
        border=(border[0], border[1], border[2], border[3]),
        border_lean=float(rng.normal(0, 0.02)),
        border_soft_px=float(rng.uniform(0.3, 5.0)),
        border_tone=float(rng.choice([0.0, rng.uniform(0, 0.15), rng.uniform(0.8, 1.0)], p=[0.6, 0.25, 0.15])),
        seams=tuple(seams),
        grid_mm=float(rng.uniform(40, 110)) if rng.random() < 0.2 else 0.0,
        grid_tone=float(rng.uniform(0.1, 0.7)),
        letters=tuple(letters),
        text_px=float(rng.uniform(9, 30)),
        scratches=int(rng.integers(3, 25)) if scan or rng.random() < 0.12 else 0,
        light=(float(rng.normal(0, 0.15)), float(rng.normal(0, 0.15))) if scan else (0.0, 0.0),
        quality=int(rng.integers(35, 96)) if rng.random() < 0.5 else 0,
        bits=8 if rng.random() < 0.6 else 12,
    )


def put_marks(film: Image, pixel_mm: float, marks: Marks) -> tuple[Image, Mask]:
    """A film 0 to 1 with its marks, and where it still shows the patient (not behind a shutter)."""
    rng = np.random.default_rng(marks.seed)
    out = film.copy()
    rows, columns = film.shape
    for share, step, line in marks.seams:
        at = int(share * rows)
        out[at:] += np.float32(step)
        if np.isfinite(line):
            out[at : at + 1 + int(rng.integers(0, 2))] = np.float32(line)
    if marks.grid_mm > 0:
        _grid(out, marks.grid_mm / pixel_mm, marks.grid_tone, rng)
    if marks.light != (0.0, 0.0):
        out *= 1.0 + np.float32(marks.light[0]) * np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
        out *= 1.0 + np.float32(marks.light[1]) * np.linspace(-1, 1, columns, dtype=np.float32)[None, :]
    open_share = _opening(film.shape, marks)
    out = out * open_share + np.float32(marks.border_tone) * (1.0 - open_share)
    if marks.letters or marks.scratches:
        _write(out, marks, rng)
    out = np.clip(out, 0.0, 1.0)
    if marks.quality:
        out = _compressed(out, marks.quality)
    levels = np.float32(2**marks.bits - 1)
    return np.asarray(np.rint(out * levels) / levels, dtype=np.float32), np.asarray(open_share > 0.5)


def _opening(shape: tuple[int, ...], marks: Marks) -> Image:
    """(rows, columns) 1 where shutters are open."""
    if not any(marks.border):
        return np.ones(shape, dtype=np.float32)
    r = np.arange(shape[0], dtype=np.float32)[:, None]
    c = np.arange(shape[1], dtype=np.float32)[None, :]
    lean = np.float32(marks.border_lean)
    top, bottom, left, right = (s * n for s, n in zip(marks.border, (shape[0],) * 2 + (shape[1],) * 2, strict=True))
    far = np.float32(1e6)
    edges = [
        r - top + lean * c if top else far,
        shape[0] - 1 - bottom - r + lean * c if bottom else far,
        c - left - lean * r if left else far,
        shape[1] - 1 - right - c - lean * r if right else far,
    ]
    depth = np.minimum(np.minimum(edges[0], edges[1]), np.minimum(edges[2], edges[3]))
    return np.asarray(
        np.broadcast_to(np.clip(depth / np.float32(marks.border_soft_px) + 0.5, 0.0, 1.0), shape), dtype=np.float32
    )


def _grid(out: Image, distance_px: float, tone: float, rng: np.random.Generator) -> None:
    """Lines of a ruler or a positioning grid, broken here and there."""
    for axis in range(2):
        lines = out if axis == 0 else out.T
        for at in np.arange(rng.uniform(0, distance_px), lines.shape[0], distance_px).astype(int):
            first, last = np.sort(rng.uniform(-0.2, 1.2, 2)) * lines.shape[1]
            if rng.random() < 0.7:
                first, last = 0, lines.shape[1]
            part = lines[at, int(max(first, 0)) : int(max(last, 0))]
            part += np.float32(tone) * (1.0 - part)


def _write(out: Image, marks: Marks, rng: np.random.Generator) -> None:
    picture = Pillow.new("L", (out.shape[1], out.shape[0]))
    pen = ImageDraw.Draw(picture)
    for row, column, text in marks.letters:
        at = column * out.shape[1], row * out.shape[0]
        pen.text(at, text, fill=int(rng.integers(130, 256)), font_size=marks.text_px)
    for _ in range(marks.scratches):
        start = rng.uniform(0, 1, 2) * out.shape[::-1]
        steps = np.cumsum(rng.normal(0, 2.5, (int(rng.integers(1, 7)), 2)), axis=0)
        pen.line([tuple(p) for p in np.vstack([start, start + steps])], fill=int(rng.integers(60, 256)))
    ink = np.asarray(picture, dtype=np.float32) / 255.0
    np.maximum(out, ink, out=out)


def _compressed(film: Image, quality: int) -> Image:
    stream = io.BytesIO()
    Pillow.fromarray((film * 255.0).astype(np.uint8)).save(stream, "JPEG", quality=quality)
    return np.asarray(Pillow.open(stream), dtype=np.float32) / np.float32(255.0)
