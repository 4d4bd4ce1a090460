"""The film networks of a release, loaded together.

Belongs here: which cards make `FilmModels`. Does not belong here: what a release is (registry), the adaptors.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vfscreen.errors import WeightsError
from vfscreen.models.film_locator import load_film_locator
from vfscreen.models.film_ports import FilmModels
from vfscreen.models.film_vertebra import load_film_vertebra_detector


def load_film_models(
    cards: Mapping[str, Path], device: str = "auto", threads: int | None = None, with_fresh: bool = False
) -> FilmModels | None:
    """The models of the cards by kind; None where a release has no locator or no detector for films.

    with_fresh: the fresh-fracture classifier too, where the release has one.
    Raises WeightsError (card, weights), SettingsError (device).
    """
    if not {"film_locator", "film_vertebra"} <= set(cards):
        return None
    detector = load_film_vertebra_detector(cards["film_vertebra"], device, threads)
    endplates = None
    if "film_endplates" in cards:
        from vfscreen.models.film_endplates import load_film_endplate_reader

        endplates = load_film_endplate_reader(cards["film_endplates"], device, threads)
    view = None
    if "film_view" in cards:
        from vfscreen.models.film_view import load_film_view_reader

        view = load_film_view_reader(cards["film_view"], device, threads)
    fresh = None
    if with_fresh:
        if "fresh" not in cards:
            raise WeightsError("the release has no fresh-fracture classifier: name one, or switch fresh_fracture off")
        from vfscreen.models.fresh_classifier import load_fresh_classifier

        fresh = load_fresh_classifier(cards["fresh"], device, threads)
    return FilmModels(
        locator=load_film_locator(cards["film_locator"], device, threads),
        detector=detector,
        view=view,
        grade_calibration=(endplates or detector).grade_calibration,
        fresh=fresh,
        endplates=endplates,
    )
