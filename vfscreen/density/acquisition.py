"""What the headers say of how a CT was taken, as far as density depends on it.

Belongs here: the record, and reading it from a manifest's or series' columns. Does not belong here: what follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Acquisition:
    """Missing is None, never a usual value. kernel: values of ConvolutionKernel joined by a backslash."""

    kvp_kV: float | None = None
    kernel: str | None = None
    contrast_agent: str | None = None
    slice_thickness_mm: float | None = None
    manufacturer: str | None = None
    model: str | None = None

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> Acquisition:
        """From columns of MANIFEST or SERIES by name; absent and null ones are missing. A voltage of 0 is missing."""
        return cls(
            kvp_kV=header.get("KVP_kV") or None,
            kernel=header.get("ConvolutionKernel") or None,
            contrast_agent=header.get("ContrastBolusAgent") or None,
            slice_thickness_mm=header.get("SliceThickness_mm") or None,
            manufacturer=header.get("Manufacturer") or None,
            model=header.get("ManufacturerModelName") or None,
        )

    @property
    def is_empty(self) -> bool:
        """Whether the headers say nothing at all (NIfTI): then an agent that is not named means nothing either."""
        return self == NO_HEADER


NO_HEADER = Acquisition()
"""A volume whose headers say nothing (NIfTI, say)."""
