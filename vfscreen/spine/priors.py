"""What is known about vertebral columns before looking at one: which level follows which, and how far below.

Belongs here: anatomy as numbers. Does not belong here: how they are joined with what is seen (labelling).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from vfscreen.schema.names import LEVELS

Float = NDArray[np.float64]

STATES: tuple[str, ...] = (*LEVELS, "S")
"""What a detection may be: a level, or the sacrum."""

SACRUM = len(LEVELS)

VERTEBRA_KINDS: tuple[str, ...] = ("cervical", "rib_bearing", "lumbar", "sacrum")
"""What a vertebra may be by what it carries: no rib above the chest, a rib, none below it."""

P_L6 = 0.025
"""48 of 1,887 columns with an L5 in VID. """
P_T13 = 0.01
P_ABSENT_T12 = 0.01
P_ABSENT_L5 = 0.01
"""A thirteenth, an eleventh-last thoracic and a four-lumbar column: a few percent of people together (Carrino et al.,
Radiology 2011; VID names no T13)."""

P_LUMBAR_RIB = 0.03
"""A first lumbar vertebra with a rib, mostly a short one. Of 1,446 CTs of the spine 65 had a rib-bearing or
transitional vertebra below the nineteenth (Yun et al., Korean J Radiol 2018); P_T13 is of these."""
P_NO_T12_RIB = 0.01
"""A twelfth thoracic vertebra without ribs: 4 of those 1,446; other series count several percent."""
P_CERVICAL_RIB = 0.005
P_NO_T1_RIB = 0.002
P_SACRUM_LIKE = 0.01
"""A last lumbar vertebra grown into the sacrum on both sides, or a first sacral one that looks lumbar."""

P_MISSED = 0.02
"""A detector of the CT paper's recall (0.99) misses one vertebra in a hundred; fused and cemented ones more."""
MISSED_MAX = 4

P_SACRUM_DETECTED = 0.06
"""A sacrum in view that the detector took for a vertebra: 2 of 32 synthetic columns that have it in view."""

SACRUM_BELOW_MM = 34.0
"""S1's centre below L5's, and S2's below S1's 28: only to recognise a sacrum that was detected as a vertebra."""
SACRUM_TOP_BELOW_MM = 24.0
"""The sacrum's upper edge below L5's centre: half an L5 and a disc."""
_S_S_MM = 28.0


@dataclass(frozen=True)
class Step:
    """One way down from `upper` to `lower` (indices of STATES): log prior and typical distance at patient size 1."""

    upper: int
    lower: int
    log_prior: float
    distance_mm: float


@cache
def _spacing() -> dict[str, Any]:
    text = files("vfscreen.spine").joinpath("level_spacing.yaml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def patient_size_log_sd() -> float:
    """Standard deviation of log patient size (1 = the typical column)."""
    return float(_spacing()["patient_size_log_sd"])


@cache
def neighbour_steps() -> tuple[Step, ...]:
    """Steps between anatomical neighbours, variants included."""
    mm: dict[str, float] = _spacing()["spacing_mm"]
    rows: list[tuple[str, str, float, float]] = []
    rare = {("T12", "L1"): P_T13, ("T11", "T12"): P_ABSENT_T12, ("L4", "L5"): P_ABSENT_L5}
    for pair, distance in mm.items():
        upper, lower = pair.split("-")
        if lower != "L6":
            rows.append((upper, lower, 1.0 - rare.get((upper, lower), 0.0), distance))
    thoracolumbar = mm["T12-L1"]
    rows += [
        ("T12", "T13", P_T13, thoracolumbar),
        ("T13", "L1", 1.0, thoracolumbar),
        ("T11", "L1", P_ABSENT_T12, thoracolumbar),
        ("L5", "L6", P_L6, mm["L5-L6"]),
        ("L5", "S", 1.0 - P_L6, SACRUM_BELOW_MM),
        ("L6", "S", 1.0, SACRUM_BELOW_MM),
        ("L4", "S", P_ABSENT_L5, SACRUM_BELOW_MM),
        ("S", "S", 1.0, _S_S_MM),
    ]
    return tuple(Step(STATES.index(a), STATES.index(b), float(np.log(p)), d) for a, b, p, d in rows)


@dataclass(frozen=True)
class Misses:
    """How often a detector misses vertebrae between two that it found: first, the next one; further, another beside a
    missed one; longest: a longer run of them is not thought of."""

    first: float = P_MISSED
    further: float = P_MISSED
    longest: int = MISSED_MAX


CT_MISSES = Misses()


@cache
def steps(misses: Misses = CT_MISSES) -> tuple[Step, ...]:
    """Every way from one detected vertebra to the next, with up to `misses.longest` missed in between."""
    every = list(neighbour_steps())
    last = list(every)
    for n in range(misses.longest):
        missed = float(np.log(misses.first if n == 0 else misses.further))
        last = [
            Step(a.upper, b.lower, a.log_prior + b.log_prior + missed, a.distance_mm + b.distance_mm)
            for a in last
            for b in neighbour_steps()
            if a.lower == b.upper and a.lower != SACRUM
        ]
        every += last
    return tuple(every)


@cache
def sacrum_top_distance_mm() -> Float:
    """(len(STATES),) how far below each level's centre the sacrum begins, at patient size 1; nan for the sacrum."""
    distance = np.full(len(STATES), np.nan)
    down = {s.upper: s for s in neighbour_steps() if s.log_prior > np.log(0.5) and s.lower != SACRUM}
    for state in range(SACRUM):
        here, total = state, SACRUM_TOP_BELOW_MM
        while here in down:
            total += down[here].distance_mm
            here = down[here].lower
        distance[state] = total
    return distance


@cache
def kind_share() -> Float:
    """(len(STATES), len(VERTEBRA_KINDS)) how often a vertebra of a level looks of a kind; rows sum to 1."""
    cervical, ribbed, lumbar, sacral = range(len(VERTEBRA_KINDS))
    share = np.zeros((len(STATES), len(VERTEBRA_KINDS)))
    for state, level in enumerate(STATES):
        share[state, {"C": cervical, "T": ribbed, "L": lumbar, "S": sacral}[level[0]]] = 1.0

    def move(level: str, to: int, p: float) -> None:
        share[STATES.index(level)] *= 1.0 - p
        share[STATES.index(level), to] += p

    move("C7", ribbed, P_CERVICAL_RIB)
    move("T1", cervical, P_NO_T1_RIB)
    move("T12", lumbar, P_NO_T12_RIB)
    move("L1", ribbed, P_LUMBAR_RIB)
    for level, to in (("L5", sacral), ("L6", sacral), ("S", lumbar)):
        move(level, to, P_SACRUM_LIKE)
    return share


@cache
def last_share() -> Float:
    """(len(STATES),) how often the sacrum follows a vertebra of a level; nan for the sacrum itself."""
    share = np.zeros(len(STATES))
    share[SACRUM] = np.nan
    for step in neighbour_steps():
        if step.lower == SACRUM and step.upper != SACRUM:
            share[step.upper] = np.exp(step.log_prior)
    return share


@cache
def first_level_log_prior() -> Float:
    """(len(STATES),) log prior of the uppermost detection: any level alike, variants rare, never the sacrum."""
    prior = np.ones(len(STATES))
    prior[LEVELS.index("T13")] = P_T13
    prior[LEVELS.index("L6")] = P_L6
    prior[SACRUM] = 1e-4
    return np.asarray(np.log(prior / prior.sum()))
