"""What a question is asked of: a typed filter, checked here, and given to SQL as bound values, never as text.

Belongs here: the filter's fields, their limits and meaning. Does not belong here: how SQL applies it (selection/*.sql,
queries/*.sql), options of the command line (`vfscreen.cli.query`).

A value that is missing is never guessed: an exam without age does not pass a limit of age (`flow` counts it), and
stands in a group of its own, 'unknown', where nothing was asked of age.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from vfscreen.errors import VfscreenError
from vfscreen.schema.names import LEVELS, ContrastPhase

Group = Literal["age", "sex", "site", "year", "scanner"]
Exams = Literal["latest", "first", "all"]
Grade = Literal["adjusted", "raw"]
DensityKind = Literal["corrected", "raw"]
UNKNOWN = "unknown"

GROUPS: tuple[str, ...] = get_args(Group)
SEXES = ("F", "M", "O", UNKNOWN)
PHASES = (*(phase.value for phase in ContrastPhase), UNKNOWN)


class FilterError(VfscreenError):
    """A filter that cannot be meant; the message names the field."""


class CohortFilter(BaseModel):
    """Which exams a question is asked of, and what counts as a fracture in it. Everything left out asks for nothing.

    age_min, age_max: whole years, both included. sex, site, scanner, contrast: any of these; 'unknown' for missing.
    site: InstitutionName. scanner: Manufacturer, ManufacturerModelName or both with a space between, in any case.
    date_from, date_to: of StudyDate, both included. contrast: phase seen in the pixels ('non_contrast' for no prior
    contrast). modality: of the chosen series. exams: which of a patient's exams that pass counts; `all` counts exams.

    levels: only these vertebrae. level_certain: True leaves out vertebrae whose numbering nothing in view fixes, False
    takes them; None is the query's own choice (only `incident` leaves them out). grade: of the loss adjusted to
    what is normal at the level, or of the raw loss. grade_min: a fracture is a vertebra of at least this grade; where
    rates are counted its default is 2, and `cohort` and `worklist` keep patients with one where it is given.

    density_below_hu: reference attenuation (L1, else the declared fall-back) below this; density_kind says which, and
    l1_only takes no fall-back. Radiographs have no density. `density` splits by it, `cohort` and `worklist` keep
    patients below it, other queries
    count only exams below it. match: whether `cohort` and `worklist` keep those that meet all of grade_min and
    density_below_hu, or any. by: groups of prevalence, sdi, incident and density. days_max: how far apart a CT and a
    radiograph may be for `agreement`; 365 where it is not given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    age_min: int | None = Field(None, ge=0, le=150)
    age_max: int | None = Field(None, ge=0, le=150)
    sex: tuple[str, ...] = ()
    site: tuple[str, ...] = ()
    scanner: tuple[str, ...] = ()
    date_from: dt.date | None = None
    date_to: dt.date | None = None
    contrast: tuple[str, ...] = ()
    modality: tuple[str, ...] = ()
    exams: Exams = "latest"
    levels: tuple[str, ...] = ()
    level_certain: bool | None = None
    grade: Grade = "adjusted"
    grade_min: int | None = Field(None, ge=1, le=3)
    density_below_hu: float | None = Field(None, ge=-1024, le=3071)
    density_kind: DensityKind = "corrected"
    l1_only: bool = False
    match: Literal["all", "any"] = "all"
    by: tuple[Group, ...] | None = None
    days_max: int | None = Field(None, ge=0)

    @field_validator("sex", "contrast", "levels")
    @classmethod
    def _known(cls, value: tuple[str, ...], info: Any) -> tuple[str, ...]:
        allowed = {"sex": SEXES, "contrast": PHASES, "levels": LEVELS}[info.field_name]
        if strangers := [v for v in value if v not in allowed]:
            raise ValueError(f"{strangers[0]!r} is not one of {', '.join(allowed)}")
        return value

    @model_validator(mode="after")
    def _ordered(self) -> CohortFilter:
        if self.age_min is not None and self.age_max is not None and self.age_min > self.age_max:
            raise ValueError("age_min is above age_max")
        if self.date_from is not None and self.date_to is not None and self.date_from > self.date_to:
            raise ValueError("date_from is after date_to")
        return self

    @classmethod
    def of(cls, **values: Any) -> CohortFilter:
        """A checked filter. FilterError naming the field and what is wrong with it."""
        try:
            return cls(**values)
        except ValidationError as error:
            lines = [f"{'.'.join(str(p) for p in e['loc']) or 'filter'}: {e['msg']}" for e in error.errors()]
            raise FilterError("this filter cannot be used: " + "; ".join(lines)) from error

    def values(self) -> dict[str, tuple[str, Any]]:
        """What SQL sees, as DuckDB variables: name -> (DuckDB type, value). Empty lists become null: nothing asked."""
        found: dict[str, tuple[str, Any]] = {}
        for name, kind in _TYPES.items():
            value = getattr(self, name)
            if isinstance(value, tuple):
                value = [v.lower() if name == "scanner" else v for v in value] or None
            found[f"ask_{name}"] = (kind, value)
        return found


_TYPES = {
    "age_min": "INTEGER",
    "age_max": "INTEGER",
    "sex": "VARCHAR[]",
    "site": "VARCHAR[]",
    "scanner": "VARCHAR[]",
    "date_from": "DATE",
    "date_to": "DATE",
    "contrast": "VARCHAR[]",
    "modality": "VARCHAR[]",
    "exams": "VARCHAR",
    "levels": "VARCHAR[]",
    "level_certain": "BOOLEAN",
    "grade": "VARCHAR",
    "grade_min": "INTEGER",
    "density_below_hu": "DOUBLE",
    "density_kind": "VARCHAR",
    "l1_only": "BOOLEAN",
    "match": "VARCHAR",
    "by": "VARCHAR[]",
    "days_max": "INTEGER",
}
"""DuckDB type of each field: a null must have one too."""
