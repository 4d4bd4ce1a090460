"""Whose bodies are projected: readings on CT, rendered label maps, synthetic patients, for training or for evaluation.

Belongs here: which source belongs to which pool, and making its body. Does not belong here: the body itself
(film_bodies), fractures, films.

The anatomy that films are evaluated on is kept apart: `EVALUATION_READINGS` are in no training pool, and synthetic
patients of the two pools have different seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vfscreen.geometry.curve import Centreline
from vfscreen.ingest.nifti import read_nifti
from vfscreen.models.ports import ModelSet
from vfscreen.settings import ScreeningSettings
from vfscreen.synthesis.anatomy import draw_patient, vertebra_truth
from vfscreen.synthesis.phantom import Scene, body_centres
from vfscreen.training.film_bodies import FilmBody, read_body
from vfscreen.training.masks import read_label_map
from vfscreen.training.phantoms import CONFIDENCE
from vfscreen.training.readings import ReadVertebra
from vfscreen.training.render import render_labels

TRAINING_READINGS = (
    *("dicom4qi_data1", "taichi_sag", "619089952642", "sub-verse005", "lidc0001", "0125113545.4", "crlm_1004"),
)
EVALUATION_READINGS = ("covid_ar", "ircad_1_1", "aitest_1")
LABEL_MAPS = ("sub-sample001", "sub-verse009", "sub-verse004", "sub-verse010", "sub-verse005")
COMPLETED = frozenset({"0125113545.4"})
"""Readings that name few of the vertebrae in view: the rest is taken from our own CT chain."""
_EVALUATION_SEED = 5000
_LABELS_CONFIDENCE = 0.6


@dataclass(frozen=True)
class Source:
    """kind: "reading", "labels" or "phantom". name: of the reading or the subject, or the phantom's seed."""

    kind: str
    name: str


def sources(evaluation: bool, phantoms: int, label_renders: int) -> list[Source]:
    """Every source of a pool. phantoms: number of synthetic patients. label_renders: tissues drawn for each label map
    (training alone)."""
    readings = EVALUATION_READINGS if evaluation else TRAINING_READINGS
    found = [Source("reading", name) for name in readings]
    if not evaluation:
        found += [Source("labels", f"{name}:{n}") for n in range(label_renders) for name in LABEL_MAPS]
    first = _EVALUATION_SEED if evaluation else 0
    return found + [Source("phantom", str(first + n)) for n in range(phantoms)]


def make_body(
    source: Source,
    data: Path,
    volumes: Mapping[str, Path],
    models: ModelSet | None,
    settings: ScreeningSettings,
) -> FilmBody:
    """The body of a source. volumes: where a reading's volume lies, if not beside it. Raises FileNotFoundError."""
    if source.kind == "reading":
        own = models if source.name in COMPLETED else None
        return read_body(data, source.name, own, settings, volumes.get(source.name))
    if source.kind == "labels":
        return label_body(data, *source.name.split(":"))
    return phantom_body(int(source.name))


def label_body(data: Path, subject: str, render: str) -> FilmBody:
    """The label map of a subject, rendered with the tissue number `render`; its body is made up around the film."""
    found = sorted(data.rglob(f"{subject}_seg-vert_msk.nii.gz"))
    if not found:
        raise FileNotFoundError(f"no {subject}_seg-vert_msk.nii.gz below {data}")
    labels = read_nifti(found[0])
    centreline, vertebrae = read_label_map(labels)
    volume = render_labels(labels, np.random.default_rng([17, int(render)]))
    kept = tuple(ReadVertebra(v.level, True, _LABELS_CONFIDENCE, v.keypoints_lps_mm) for v in vertebrae)
    return FilmBody(f"labels-{subject}-{render}", volume, None, centreline, kept, wrapped=True)


def phantom_body(seed: int) -> FilmBody:
    """Synthetic patient `seed`, from the neck to the sacrum, with random fractures; fine around the column."""
    rng = np.random.default_rng([78, seed])
    spec = draw_patient(rng, fracture_probability=0.3 if seed % 2 else 0.0)
    scene = Scene.of(spec)
    path = np.array(list(body_centres(spec).values()))
    middle, low, high = path.mean(axis=0), path.min(axis=0), path.max(axis=0)
    boxes = (
        (np.array([low[0] - 38, low[1] - 45, low[2] - 60]), np.array([high[0] + 38, high[1] + 75, high[2] + 25])),
        (middle + np.array([-210, -250, 0]), middle + np.array([210, 160, 0])),
    )
    steps = np.array([1.6, 0.85, 0.85]), np.array([4.0, 3.0, 3.0])
    boxes[1][0][2], boxes[1][1][2] = boxes[0][0][2], boxes[0][1][2]
    rendered = []
    for (corner, end), step in zip(boxes, steps, strict=True):
        affine = np.diag([*step, 1.0])
        affine[:3, 3] = corner
        i, j, k = (int(n) for n in np.ceil((end - corner) / step))
        rendered.append(scene.render(affine, (i, j, k), rng, table=False))
    vertebrae = tuple(ReadVertebra(t.level, True, CONFIDENCE, t.keypoints_lps_mm) for t in vertebra_truth(spec))
    sacrum = spec.sacrum.to_lps(spec.sacrum.keypoints_uvw)[[0, 4]]
    return FilmBody(
        f"phantom-{seed:04d}",
        rendered[0],
        rendered[1],
        Centreline.fit(path, residual_mm=1.0),
        vertebrae,
        sacrum_lps_mm=sacrum,
    )
