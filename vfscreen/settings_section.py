"""The base of every section of the settings.

Belongs here: `Section`. Does not belong here: any section (settings, settings_density).
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of the settings: unknown names are errors, values cannot be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)
