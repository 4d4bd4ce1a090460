"""What a film is before anything is measured on it: its view, its part of the body, which way up, which way facing.

Belongs here: turning a view network's probabilities into words and into the reason why a film is not for screening.
Does not belong here: the network (models.film_view), headers (film_rows), the spine (film_chain).
"""

from __future__ import annotations

import numpy as np

from vfscreen.errors import ReasonCode, Rejected, Stage
from vfscreen.geometry.radiograph import Radiograph
from vfscreen.models.film_ports import BODY_REGIONS, ROTATIONS_DEG, VIEWS, FilmView, FilmViewReader
from vfscreen.schema import names
from vfscreen.screening.film_result import PictureReading
from vfscreen.settings_films import FilmScreeningSettings


def look_at_picture(
    film: Radiograph, reader: FilmViewReader | None, settings: FilmScreeningSettings
) -> tuple[PictureReading, FilmView | None]:
    """What the release's view network says of a film, in words and as it came; without one, nothing.

    Archives keep nearly all films head up: a turn that the network is not sure of is not made.

    A network that fails is done without: the locator and the detector see for themselves whether there is a column.
    """
    if reader is None:
        return PictureReading(rotation_deg=0), None
    try:
        seen = reader.read(film.image, film.inside)
    except (ArithmeticError, LookupError, RuntimeError, ValueError) as error:
        return PictureReading(rotation_deg=0, problem=f"view not read: {type(error).__name__}: {error}"), None
    region, turn = int(np.argmax(seen.body_region)), int(np.argmax(seen.rotation))
    sure = seen.rotation[turn] >= settings.rotation_probability_min
    reading = PictureReading(
        view=names.FilmView(VIEWS[int(np.argmax(seen.view))]),
        view_probabilities={name: float(p) for name, p in zip(VIEWS, seen.view, strict=True)},
        body_region=names.BodyRegion(BODY_REGIONS[region]),
        body_region_probability=float(seen.body_region[region]),
        rotation_deg=ROTATIONS_DEG[turn] if sure else 0,
    )
    return reading, seen


def why_not_lateral_spine(reading: PictureReading, settings: FilmScreeningSettings) -> Rejected | None:
    """The reason why a film is not for screening, as far as a view network was asked."""
    if reading.view_probabilities is None:
        return None
    lateral = reading.view_probabilities[names.FilmView.LATERAL.value]
    if lateral < settings.view_probability_min:
        assert reading.view is not None
        return Rejected(
            Stage.LOCATE,
            ReasonCode.VIEW_NOT_LATERAL,
            f"The pixels show the view {reading.view.value} ({reading.view_probability:.2f}); lateral {lateral:.2f}.",
        )
    probability = reading.body_region_probability or 0.0
    if reading.body_region is names.BodyRegion.OTHER and probability >= settings.region_probability_min:
        return Rejected(
            Stage.LOCATE,
            ReasonCode.REGION_NOT_SPINE,
            f"The pixels show no thoracic or lumbar spine ({probability:.2f}).",
        )
    return None


def side_in_stored(anterior_is_right: bool, rotation_deg: int) -> names.PictureSide | None:
    """The side of the stored picture to which a patient faces who faces right or left once it is upright; None where
    that is up or down."""
    if rotation_deg % 180:
        return None
    return names.PictureSide.RIGHT if anterior_is_right == (rotation_deg == 0) else names.PictureSide.LEFT
