"""A film as an archive holds it: objects in the beam, the exposure, marks on the picture.

Belongs here: the order in which they come together. Does not belong here: any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.synthesis.beam_objects import BeamObject, paint
from vfscreen.synthesis.beam_scenes import SceneRates, draw_objects
from vfscreen.synthesis.exposure import Exposure, draw_exposure, expose
from vfscreen.synthesis.film_marks import Marks, draw_marks, put_marks

Float = NDArray[np.float64]
Image = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FilmLook:
    """Everything that fixes a film besides its line integrals."""

    objects: Sequence[BeamObject]
    exposure: Exposure
    marks: Marks


def draw_look(
    rng: np.random.Generator,
    shape: tuple[int, int],
    pixel_mm: float,
    points_px: Float | None = None,
    rates: SceneRates | None = None,
) -> FilmLook:
    """A look for a film of `shape`. points_px: (V, 6, 2) (row, column) of its vertebrae, around which objects lie."""
    objects = draw_objects(rng, shape, pixel_mm, points_px, rates)
    return FilmLook(objects, draw_exposure(rng), draw_marks(rng))


def apply_look(soft: Image, bone: Image, pixel_mm: float, look: FilmLook) -> tuple[Image, NDArray[np.bool_]]:
    """The film of line integrals (rows, columns) in mm of water: float32 0 to 1, and where it shows the patient.

    The same arguments give the same film.
    """
    added = paint(look.objects, (soft.shape[0], soft.shape[1]), pixel_mm)
    if "soft" in added:  # gas takes no more tissue than there is
        soft = np.maximum(soft + added["soft"], np.minimum(soft, np.float32(5.0)))
    if "bone" in added:
        bone = bone + added["bone"]
    film = expose(soft, bone, pixel_mm, look.exposure, added.get("metal"))
    return put_marks(film, pixel_mm, look.marks)


def draw_film(
    soft: Image,
    bone: Image,
    pixel_mm: float,
    points_px: Float | None,
    rng: np.random.Generator,
    rates: SceneRates | None = None,
) -> tuple[Image, NDArray[np.bool_]]:
    """Draw a look and apply it."""
    return apply_look(soft, bone, pixel_mm, draw_look(rng, (soft.shape[0], soft.shape[1]), pixel_mm, points_px, rates))
