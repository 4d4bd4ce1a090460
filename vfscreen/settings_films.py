"""Settings of radiographs.

Belongs here: names, types, limits and defaults. Does not belong here: what a setting does (ingest.film, screening).
"""

from __future__ import annotations

from pydantic import Field

from vfscreen.settings_section import Section


class FilmSettings(Section):
    """Which films go into the chain, from their headers."""

    enabled: bool = Field(True, description="False rejects every radiograph as films_switched_off, from its header.")
    side_min_px: int = Field(256, ge=16, description="Films with a shorter side are rejected as film_too_small.")
    pixels_max: int = Field(
        100_000_000, ge=1_000_000, description="Larger films are rejected as film_too_large; about 20 bytes a pixel."
    )


class FreshFractureSettings(Section):
    """The fresh-fracture classifier of lateral films: for research, trained on simulation. Part of the release."""

    enabled: bool = Field(False, description="True gives fractured vertebrae on films a fresh_probability.")


class FilmScreeningSettings(Section):
    """What the chain takes for a lateral film of a spine, and for a vertebra on it. Part of the model release."""

    view_probability_min: float = Field(
        0.25,
        gt=0,
        lt=1,
        description="A film is lateral from this probability on; below it is view_not_lateral. Low: what "
        "passes is looked at for a column all the same.",
    )
    rotation_probability_min: float = Field(
        0.6, gt=0, lt=1, description="A film is turned where the network is at least so sure of the turn."
    )
    region_probability_min: float = Field(
        0.5, gt=0, lt=1, description="Rejected as region_not_spine where 'other' is at least this probable."
    )
    detection_threshold: float = Field(0.5, gt=0, lt=1, description="Vertebrae on films below this score are dropped.")
