"""The JSON file of a six-point reading, `NAME_six_points.json`, validated.

Belongs here: its fields. Does not belong here: what is made of a reading (training.readings,
evaluation.reference_files).

Points are LPS mm of the volume. `level` may be null; `confidence` is the reader's, 0..1.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from vfscreen.schema.names import LEVELS

Point = tuple[float, float, float]


class SixPointVertebra(BaseModel):
    """One vertebra: its six points, and a published grade where there is one."""

    model_config = ConfigDict(extra="ignore")

    level: str | None
    level_certain: bool = True
    confidence: float = Field(1.0, ge=0, le=1)
    published_genant_grade: int | None = Field(None, ge=0, le=3)
    anterior_superior: Point
    anterior_inferior: Point
    middle_superior: Point
    middle_inferior: Point
    posterior_superior: Point
    posterior_inferior: Point

    @field_validator("level")
    @classmethod
    def _known(cls, level: str | None) -> str | None:
        if level is not None and level not in LEVELS:
            raise ValueError(f"level {level!r} is not one of {LEVELS}")
        return level


class SixPointFile(BaseModel):
    """All vertebrae read on a volume, the rough centreline, and, where known, who read and which series it is."""

    model_config = ConfigDict(extra="ignore")

    volume: str
    annotator: str | None = None
    StudyInstanceUID: str | None = None
    SeriesInstanceUID: str | None = None
    centreline_lps_mm: list[Point] = Field(min_length=2)
    vertebrae: list[SixPointVertebra] = Field(min_length=1)
