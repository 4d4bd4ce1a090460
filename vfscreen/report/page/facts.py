"""Headline numbers and the flow from files to patients, in words.

Belongs here: choosing and wording. Does not belong here: counting (`vfscreen.cohort`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """A headline number; notes say of what it is, how sure, and what is missing."""

    label: str
    value: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """A box of the flow. apart: lines inside it. out: (reason, count) of what leaves here."""

    title: str
    value: str
    apart: tuple[str, ...] = ()
    out_title: str = ""
    out: tuple[tuple[str, str], ...] = ()
