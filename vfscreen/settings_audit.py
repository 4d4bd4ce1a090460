"""Settings of the retrospective audit.

Belongs here: names, types, limits and defaults. Does not belong here: what a setting does (vfscreen.audit), paths of a
run's inputs (they are arguments).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from vfscreen.schema.names import GRADED_LEVELS
from vfscreen.settings_section import Section


class ReportColumns(Section):
    """What a site calls the columns of its tables. Upper and lower case are not told apart."""

    accession: str = "accession"
    date: str = "date"
    text: str = "text"
    reader: str = "reader"
    reader_group: str = "reader_group"
    site: str = "site"
    patient_id: str = "patient_id"
    issuer: str = "issuer"
    code: str = "code"
    treatment: str = "treatment"
    t_score: str = "t_score"


class SamplingSettings(Section):
    """The sample of studies that is read again, blinded."""

    study_count: int = Field(200, ge=1, description="Studies to read again, over all strata.")
    seed: int = Field(1, ge=0, description="Another seed, another sample and other blinded ids.")
    readers: tuple[Annotated[str, Field(pattern=r"^[\w-]+$")], ...] = Field(
        ("reader-1",), min_length=1, description="One sheet each; letters, digits, - and _."
    )
    levels: tuple[str, ...] = Field(
        tuple(level for level in GRADED_LEVELS if level not in ("T13", "L6")),
        min_length=1,
        description="Levels on the sheets: all of them for every study, so that the sheet betrays nothing.",
    )
    null_share: float = Field(0.5, gt=0, lt=1, description="Power: share of confirmed findings to be rejected ...")
    alternative_share: float = Field(0.7, gt=0, lt=1, description="... when in truth it is this.")

    @field_validator("readers")
    @classmethod
    def _different(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len({name.lower() for name in value}) < len(value):
            raise ValueError("two readers have one name")
        return value

    @field_validator("levels")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [level for level in value if level not in GRADED_LEVELS]:
            raise ValueError(f"{', '.join(unknown)}: no thoracic or lumbar level")
        return tuple(level for level in GRADED_LEVELS if level in value)


class AuditSettings(Section):
    """What counts as found and as reported."""

    language: str = Field("en", description="A language (en, de), or the path of a site's own rule file.")
    found_grade_min: Literal[1, 2, 3] = Field(2, description="Findings from this Genant grade on are audited.")
    level_tolerance: int = Field(
        1, ge=0, le=2, description="A finding is reported where the report names a level this far off, if no other is."
    )
    hedged_is_reported: bool = Field(True, description="'Possible fracture' counts as reported.")
    delimiter: str = Field(",", min_length=1, max_length=1, description="Of CSV files.")
    encoding: str = Field("utf-8-sig", description="Of CSV files.")
    columns: ReportColumns = ReportColumns()
    issuer: str = Field("", description="IssuerOfPatientID where codes, treatments and DXA have no such column.")
    window_days: int = Field(365, ge=0, description="Codes, treatments and DXA count up to so long before and after.")
    fracture_codes: tuple[str, ...] = Field(
        ("M80", "M48.5", "S22.0", "S32.0"), description="ICD-10 codes of vertebral fracture, by their beginning."
    )
    sampling: SamplingSettings = SamplingSettings()
