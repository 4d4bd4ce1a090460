"""Everything a site can set, validated: one YAML file in deployments/settings, or environment variables.

Belongs here: names, types, limits and defaults of settings. Does not belong here: what a setting does.
Environment variables are `VFSCREEN_<SECTION>__<NAME>`, for example `VFSCREEN_SWEEP__SHARD_STUDIES=32`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as EnvironmentSettingsError

from vfscreen.errors import SettingsError
from vfscreen.settings_audit import AuditSettings
from vfscreen.settings_density import DensitySettings
from vfscreen.settings_evaluation import EvaluationSettings
from vfscreen.settings_films import FilmScreeningSettings, FilmSettings, FreshFractureSettings
from vfscreen.settings_section import Section

Orientation = Literal["axial", "coronal", "sagittal", "oblique"]


class AcceptSettings(Section):
    """Which series may be screened, from the headers alone."""

    orientations: tuple[Orientation, ...] = ("axial",)
    slice_spacing_max_mm: float = Field(5.5, gt=0, description="Thicker stacks are rejected as slices_too_thick.")
    slice_count_min: int = Field(8, ge=2)
    coverage_min_mm: float = Field(40.0, gt=0, description="Shorter stacks cannot hold a whole vertebra.")
    field_of_view_min_mm: float = Field(60.0, gt=0)
    spacing_tolerance_mm: float = Field(0.1, gt=0, description="Largest deviation of one slice distance, or 2 % of it.")
    tilt_tolerance_deg: float = Field(0.1, ge=0, description="Above this the shear goes into the affine.")
    tilt_max_deg: float = Field(35.0, gt=0, description="Above this the series is rejected as gantry_tilt.")


class SelectSettings(Section):
    """Which of a study's acceptable series goes into the chain."""

    extra_coverage_min_mm: float = Field(
        60.0, gt=0, description="A further series is taken too where it shows this much more of the column."
    )
    preferred_spacing_mm: float = Field(
        1.0, gt=0, description="Slice spacing that is thin enough; thinner is not better."
    )


class ScreeningSettings(Section):
    """The screening chain. Changing a value here changes results; it is part of the model release."""

    detection_threshold: float = Field(0.5, gt=0, lt=1)
    level_certain_probability: float = Field(0.9, gt=0, le=1)
    truncation_margin_mm: float = Field(0.5, ge=0, description="Key points nearer to the volume's edge are cut.")
    recentre_mm: float = Field(
        3.0, gt=0, description="Bodies farther than this from the centreline have it fitted again through them, once."
    )
    fracture_score_weight: float = Field(
        0.5, ge=0, le=1, description="Weight of the network's fracture score beside the measured heights, in log-odds."
    )
    density: DensitySettings = DensitySettings()
    films: FilmScreeningSettings = FilmScreeningSettings()
    fresh_fracture: FreshFractureSettings = FreshFractureSettings()


class IdentitySettings(Section):
    """Pseudonyms. The key itself is never a setting: it comes from VFSCREEN_IDENTITY_KEY or a file."""

    key_file: Path | None = Field(None, description="File with the key; created with owner-only permissions if absent.")
    mapping_file: Path | None = Field(None, description="Where to keep pseudonym -> PatientID; unset keeps none.")


class OverlaySettings(Section):
    draw: Literal["none", "flagged", "all"] = "flagged"
    flagged_grade_min: int = Field(1, ge=0, le=3)


class SweepSettings(Section):
    """How a sweep runs; none of these changes a result."""

    shard_studies: int = Field(64, ge=1, description="Studies a shard; fewer where the archive is small.")
    failed_share_max: float = Field(0.2, ge=0, le=1, description="More failed series than this fail the run.")
    failed_count_min: int = Field(20, ge=0, description="Below this many failed series the share is not looked at.")
    series_timeout_s: float = Field(600.0, gt=0)
    prefetch_series: int = Field(1, ge=0, le=8, description="Volumes decoded ahead of the one in inference.")
    worker_attempts: int = Field(3, ge=1, description="Times a study that kills its worker is tried alone.")


class Settings(BaseSettings):
    """All settings of a site."""

    model_config = SettingsConfigDict(
        env_prefix="VFSCREEN_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    accept: AcceptSettings = AcceptSettings()
    select: SelectSettings = SelectSettings()
    screening: ScreeningSettings = ScreeningSettings()
    films: FilmSettings = FilmSettings()
    identity: IdentitySettings = IdentitySettings()
    overlay: OverlaySettings = OverlaySettings()
    sweep: SweepSettings = SweepSettings()
    audit: AuditSettings = AuditSettings()
    evaluation: EvaluationSettings = EvaluationSettings()


def _merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Later layers over earlier ones, name by name inside a section."""
    result: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            below = result.get(name)
            mergeable = isinstance(below, Mapping) and isinstance(value, Mapping)
            result[name] = _merged(below, value) if mergeable and below else value
    return result


def load_settings(path: str | Path | None = None, **overrides: Any) -> Settings:
    """Settings from a YAML file (or the defaults), then the environment's, then `overrides`.

    Raises SettingsError naming the field and what is wrong with it.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            loaded = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise SettingsError(f"settings file {path} cannot be read: {error}") from error
        if loaded is not None and not isinstance(loaded, dict):
            raise SettingsError(f"settings file {path} must hold sections, not {type(loaded).__name__}")
        values = loaded or {}
    try:
        return Settings(**_merged(values, EnvSettingsSource(Settings)(), overrides))
    except EnvironmentSettingsError as error:
        raise SettingsError(f"settings in the environment cannot be read: {error}") from error
    except ValidationError as error:
        lines = [f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()]
        raise SettingsError("settings are not valid: " + "; ".join(lines)) from error
