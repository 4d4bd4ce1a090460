"""Filling a pool with film cases, in the same order and with the same numbers whenever it is run.

Belongs here: how many films of what, seeds, resuming. Does not belong here: making one case (film_pool).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from vfscreen.models.ports import ModelSet
from vfscreen.models.registry import load_models
from vfscreen.settings import ScreeningSettings, load_settings
from vfscreen.synthesis.projection import View
from vfscreen.training.film_bodies import FilmBody
from vfscreen.training.film_cases import save_case
from vfscreen.training.film_fractures import FractureSettings, draw_fractures, fractured
from vfscreen.training.film_pool import draw_geometry, make_case
from vfscreen.training.film_sources import COMPLETED, Source, make_body, sources


@dataclass(frozen=True)
class PoolSettings:
    """See the options of `films pool`. volumes: reading -> its volume. only: one kind of source, None for all."""

    data: Path
    volumes: Mapping[str, Path]
    out: Path
    evaluation: bool = False
    variants: int = 6
    films: int = 3
    ap: int = 3
    phantoms: int = 12
    renders: int = 2
    seed: int = 0
    only: str | None = None

    @cached_property
    def fractures(self) -> FractureSettings:
        """Films are measured on another family of warps than they are trained on."""
        return FractureSettings(family="power" if self.evaluation else "spline")

    @cached_property
    def screening(self) -> ScreeningSettings:
        return load_settings().screening

    @cached_property
    def models(self) -> ModelSet:
        """Our own CT chain, for bodies that were read in part."""
        return load_models(screening=self.screening)


@dataclass(frozen=True)
class _Film:
    """variant: 0 is the body as it was found; the others are fractured."""

    name: str
    variant: int
    view: View

    def rng(self, settings: PoolSettings) -> np.random.Generator:
        return np.random.default_rng([zlib.crc32(self.name.encode()), settings.seed])


def fill_pool(settings: PoolSettings) -> Iterator[Path]:
    """Make every case of the pool that is not there yet; yields the paths of new ones."""
    settings.out.mkdir(parents=True, exist_ok=True)
    for source in sources(settings.evaluation, settings.phantoms, settings.renders):
        if settings.only in (None, source.kind):
            yield from _films_of(source, settings)


def _films_of(source: Source, settings: PoolSettings) -> Iterator[Path]:
    body: FilmBody | None = None
    for variant, films in enumerate(_planned(source, settings)):
        missing = [film for film in films if not (settings.out / f"{film.name}.npz").exists()]
        if not missing:
            continue
        if body is None:
            models = settings.models if source.name in COMPLETED else None
            body = make_body(source, settings.data, settings.volumes, models, settings.screening)
        seen, lost = body, None
        if variant > 0:
            drawn = np.random.default_rng([zlib.crc32(source.name.encode()), settings.seed, variant])
            warp, lost = draw_fractures(body, settings.fractures, drawn)
            seen = body if warp is None else fractured(body, warp)
        for film in missing:
            rng = film.rng(settings)
            case = make_case(film.name, seen, draw_geometry(seen, film.view, rng), rng, lost)
            yield save_case(case, settings.out)


def _planned(source: Source, settings: PoolSettings) -> list[list[_Film]]:
    """Films by variant. Label maps and synthetic patients are many: each is fractured once, the latter by itself."""
    variants = {"reading": settings.variants + 1, "labels": 2, "phantom": 1}[source.kind]
    name = f"{source.kind}-{source.name.replace(':', '-')}-s{settings.seed}"
    planned = [
        [_Film(f"lateral-{name}-f{variant}-{n}", variant, "lateral") for n in range(settings.films)]
        for variant in range(variants)
    ]
    if source.kind != "labels":  # a made-up body around a column is no AP film
        planned[0] += [_Film(f"ap-{name}-{n}", 0, "ap") for n in range(settings.ap)]
    return planned
