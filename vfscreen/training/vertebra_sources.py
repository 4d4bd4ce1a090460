"""Where volumes with six points come from: readings, VerSe label maps, phantoms.

Belongs here: finding files in a data folder and turning them into read spines and slab cases. Does not belong here:
the formats themselves (readings, masks, phantoms).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vfscreen.geometry.curve import Centreline
from vfscreen.geometry.volume import Volume
from vfscreen.ingest.nifti import read_nifti
from vfscreen.ingest.single import read_single
from vfscreen.training.masks import VERSE_LEVELS, read_label_map
from vfscreen.training.phantoms import draw_phantom
from vfscreen.training.readings import ReadVertebra, load_reading
from vfscreen.training.render import render_labels
from vfscreen.training.slab_cases import SlabCase, make_case

_LOWEST = ("L5", "L6")
"""Below these only the sacrum follows, which is no vertebra to be found."""


@dataclass(frozen=True, eq=False)
class ReadSpine:
    """A volume, the reader's centreline and vertebrae. fractured: 1, 0, -1 unknown. known: see `make_case`."""

    name: str
    volume: Volume
    centreline: Centreline
    vertebrae: tuple[ReadVertebra, ...]
    fractured: tuple[int, ...]
    known_above: bool
    known_below: bool

    def case(self) -> SlabCase:
        return make_case(
            self.name,
            self.volume,
            self.centreline,
            self.vertebrae,
            self.known_above,
            self.known_below,
            self.fractured,
        )


def readings(
    data: Path, volumes: Mapping[str, Path], only: frozenset[str] | None, exclude: frozenset[str]
) -> Iterator[ReadSpine]:
    """Every `NAME_six_points.json` below `data` with its volume.

    The volume is `volumes[NAME]` (a NIfTI file or a DICOM folder) or lies beside the reading as `NAME_spine.nii.gz`,
    `NAME_ct.nii.gz` or `NAME.nii.gz`. only (None: all), exclude: names. Raises FileNotFoundError without a volume.
    """
    for path in sorted(data.rglob("*_six_points.json")):
        name = path.name.removesuffix("_six_points.json")
        if name in exclude or (only is not None and name not in only):
            continue
        beside = [path.with_name(f"{name}{end}.nii.gz") for end in ("_spine", "_ct", "")]
        source = volumes.get(name) or next((p for p in beside if p.exists()), None)
        if source is None:
            raise FileNotFoundError(f"no volume beside {path}: give it with --volume {name}=PATH")
        reading = load_reading(path)
        fractured = tuple(
            0 if v.published_genant_grade is None else int(v.published_genant_grade > 0) for v in reading.vertebrae
        )
        lowest = reading.vertebrae[-1].level in _LOWEST
        yield ReadSpine(
            name, read_single(source).volume, reading.centreline(), reading.vertebrae, fractured, False, lowest
        )


def label_maps(data: Path, renders: int, only: frozenset[str] | None, exclude: frozenset[str]) -> Iterator[ReadSpine]:
    """Every `SUBJECT_seg-vert_msk.nii.gz` below `data`, rendered `renders` times with other tissue each time.

    Grades come from `genant_grades.csv` (subject, verse_label, genant_grade) where it exists.
    """
    for subject, labels, bare in _masks(data, only, exclude):
        for k in range(renders):
            volume = render_labels(labels, np.random.default_rng(k))
            yield replace(bare, name=f"rendered-{subject}-{k}", volume=volume)


def verse_folder(data: Path, only: frozenset[str] | None, exclude: frozenset[str]) -> Iterator[ReadSpine]:
    """Every VerSe subject below `data`: `SUBJECT_ct.nii.gz` with the six points that code reads off its mask.

    The two files may lie in different folders, as `rawdata` and `derivatives` do. Grades as in `label_maps`; a mask
    without its CT is left out. Raises ValueError where mask and CT are not in one frame of reference.
    """
    images = {path.name.removesuffix("_ct.nii.gz"): path for path in sorted(data.rglob("*_ct.nii.gz"))}
    for subject, labels, bare in _masks(data, only, exclude):
        if subject not in images:
            continue
        volume = read_nifti(images[subject])
        inside = [bool(volume.contains(v.keypoints_lps_mm, -labels.spacing_mm[2]).all()) for v in bare.vertebrae]
        if not all(inside):
            raise ValueError(f"{subject}: points of the mask lie outside its CT; are the two in the same frame?")
        yield replace(bare, name=subject, volume=volume)


def _masks(data: Path, only: frozenset[str] | None, exclude: frozenset[str]) -> Iterator[tuple[str, Volume, ReadSpine]]:
    """Subject, label map and what is read off it; the volume is the map itself. Maps with fewer than two bodies teach
    nothing."""
    for path in sorted(data.rglob("*_seg-vert_msk.nii.gz")):
        subject = path.name.removesuffix("_seg-vert_msk.nii.gz")
        if subject in exclude or (only is not None and subject not in only):
            continue
        labels = read_nifti(path)
        try:
            centreline, vertebrae = read_label_map(labels)
        except ValueError:
            continue
        table = next((d / "genant_grades.csv" for d in (path.parent, data) if (d / "genant_grades.csv").exists()), None)
        grades = {} if table is None else _grades(table, subject)
        vertebrae = [replace(v, published_genant_grade=grades.get(v.level or "")) for v in vertebrae]
        fractured = tuple(-1 if v.level not in grades else int(grades[v.level] > 0) for v in vertebrae)
        present = [VERSE_LEVELS[int(n)] for n in np.unique(labels.hu) if int(n) in VERSE_LEVELS]
        yield (
            subject,
            labels,
            ReadSpine(
                subject,
                labels,
                centreline,
                tuple(vertebrae),
                fractured,
                vertebrae[0].level == present[0],
                vertebrae[-1].level == present[-1],
            ),
        )


def phantoms(first_seed: int, count: int) -> Iterator[ReadSpine]:
    """Synthetic patients by seed; see `phantoms.draw_phantom`."""
    for seed in range(first_seed, first_seed + count):
        spine = draw_phantom(seed)
        fractured = tuple(int(f) for f in spine.fractured)
        yield ReadSpine(f"phantom{seed}", spine.volume, spine.centreline, spine.vertebrae, fractured, False, True)


def _grades(path: Path, subject: str) -> dict[str, int]:
    with path.open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["subject"] == subject]
    return {VERSE_LEVELS[int(row["verse_label"])]: int(row["genant_grade"]) for row in rows}
