"""A film of beads: truth that survives turning, mirroring and scaling, and oracle models that read it from the pixels.

Each vertebra is seven small bright beads, at its key points and in its middle; how bright a bead is says which it is,
and the brightest one of all lies beyond the head. The film is analytic: it can be drawn at any scale.
Every oracle finds beads in the picture it is given and knows nothing else, so what comes out of the chain proves its
geometry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian
from scipy.ndimage import maximum_filter

from tests.screening.beads import column_class, refined_peak
from vfscreen.geometry.radiograph import Radiograph
from vfscreen.models.film_ports import BODY_REGIONS, ROTATIONS_DEG, VIEWS, FilmModels, FilmView, LocatedFilmColumn
from vfscreen.models.ports import Detection
from vfscreen.morphometry.probability import GradeCalibration
from vfscreen.schema.names import LEVELS, SpacingSource
from vfscreen.spine.film_course import STEP, FilmCourse
from vfscreen.spine.film_strip import StripSpec
from vfscreen.spine.priors import STATES, neighbour_steps

PARTS = (0.70, 0.45, 0.25)
"""Brightness of anterior, middle and posterior beads; the head's is 1. Shares of the picture's range."""
CENTRE = 0.15
BEAD_SD_PX = 2.2
PX_A_MM = 1.5
DISC = 1.35
"""Distance of two centres over a body's height."""


@dataclass(frozen=True, eq=False)
class FilmPatient:
    """Truth: levels from superior to inferior, key points (n, 6, 2) and the head's bead, (row, column) at scale 1."""

    levels: tuple[str, ...]
    keypoints: np.ndarray
    head: np.ndarray
    shape: tuple[int, int]


def make_film_patient(
    levels: Sequence[str] = ("T10", "T11", "T12", "L1", "L2", "L3"),
    heights: Sequence[tuple[float, float, float]] | None = None,
    facing_right: bool = True,
    below: float = 1.2,
) -> FilmPatient:
    """A bent column of typical distances. heights: anterior, middle, posterior of each body in shares of its normal
    height. below: body heights of picture under the last centre."""
    shares = [(0.95, 0.94, 1.0)] * len(levels) if heights is None else heights
    step = {(STATES[s.upper], STATES[s.lower]): s.distance_mm for s in neighbour_steps()}
    gaps = np.array([step[pair] for pair in pairwise(levels)]) * PX_A_MM
    rows = 100.0 + np.concatenate([[0.0], np.cumsum(gaps)])
    body = np.concatenate([gaps, gaps[-1:]]) / DISC
    at = np.linspace(rows[0] - 80.0, rows[-1] + 2 * body[-1], 500)
    t = at - rows[0]
    curve = FilmCourse.from_points(
        np.stack([at, 160.0 + 0.12 * t - 0.00045 * t**2], axis=1), np.interp(at, rows, body), facing_right
    )
    along = np.interp(rows, curve.points_px[:, 0], np.arange(len(curve.points_px)) * STEP)
    points = [
        curve.to_px(
            np.array([(u + s * h / 2, v) for h, v in zip(three, (-0.6, 0.0, 0.6), strict=True) for s in (-1, 1)])
        )
        for u, three in zip(along, shares, strict=True)
    ]
    shape = (int(rows[-1] + below * body[-1]), 330)
    return FilmPatient(tuple(levels), np.stack(points), curve.to_px(np.array([along[0] - 2.4, 0.0])), shape)


def draw(
    patient: FilmPatient,
    scale: float = 1.0,
    gain: float = 1000.0,
    offset: float = 0.0,
    spacing_mm: tuple[float, float] | None = None,
    source: SpacingSource | None = None,
) -> Radiograph:
    """The film at `scale` times the pixels; with anisotropic `spacing_mm` its columns are as wide as that says."""
    squeeze = 1.0 if spacing_mm is None else spacing_mm[0] / spacing_mm[1]
    factor = np.array([scale, scale * squeeze])
    rows, columns = (round(n * f) for n, f in zip(patient.shape, factor, strict=True))
    image = np.zeros((rows, columns))
    sd = BEAD_SD_PX * factor
    beads = [(patient.head, 1.0)]
    beads += [(p, PARTS[k // 2]) for body in patient.keypoints for k, p in enumerate(body)]
    beads += [(body[2:4].mean(axis=0), CENTRE) for body in patient.keypoints]
    r, c = np.arange(rows)[:, None], np.arange(columns)[None, :]
    for point, light in beads:
        row, column = (point + 0.5) * factor - 0.5
        image += light * np.exp(-0.5 * ((r - row) / sd[0]) ** 2) * np.exp(-0.5 * ((c - column) / sd[1]) ** 2)
    return Radiograph((offset + gain * image).astype(np.float32), np.ones(image.shape, dtype=bool), spacing_mm, source)


def find_beads(image: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) positions and (n,) brightness of the beads in a picture, brightness as a share of the brightest."""
    light = image.astype(np.float64) - float(np.median(image))
    light /= light.max()
    peaks = np.argwhere((light == maximum_filter(light, window)) & (light > 0.1))
    return np.array([refined_peak(np.maximum(light, 1e-6), r, c) for r, c in peaks]).reshape(-1, 2), light[
        peaks[:, 0], peaks[:, 1]
    ]


def parts_of(lights: np.ndarray) -> np.ndarray:
    """0 anterior, 1 middle, 2 posterior, 3 head, 4 centre."""
    return np.asarray(np.abs(lights[:, None] - np.array([*PARTS, 1.0, CENTRE])[None, :]).argmin(axis=1))


class OracleViewReader:
    """Finds the head's bead: up is where it lies from the others."""

    def __init__(self, view: str = "lateral", region: str = "thoracolumbar") -> None:
        self.view, self.region = view, region

    def read(self, image: np.ndarray, inside: np.ndarray) -> FilmView:
        points, lights = find_beads(image, 5)
        kind = parts_of(lights)
        turned = []
        for turn in range(4):  # the head's row must be the least after this many quarter turns
            r, c = points[:, 0], points[:, 1]
            for _ in range(turn):
                r, c = -c, r
            turned.append((np.stack([r, c], axis=1), r[kind == 3].min() - r[kind != 3].min()))
        up = int(np.argmin([gap for _, gap in turned]))
        upright = turned[up][0]
        right = _faces_right(upright, kind)
        return FilmView(
            view=_one(VIEWS, self.view),
            body_region=_one(BODY_REGIONS, self.region),
            anterior_is_right_probability=0.99 if right else 0.01,
            rotation=_one([str(d) for d in ROTATIONS_DEG], str(90 * up)),
        )


@dataclass
class OracleFilmLocator:
    """Finds the middle beads: the column runs through them. size: of the bodies, over the true one; facing: what it
    says of the side, None for what it sees."""

    size: float = 1.0
    facing: float | None = None
    keep: slice = field(default_factory=lambda: slice(None))

    def locate(self, image: np.ndarray, inside: np.ndarray) -> LocatedFilmColumn:
        points, lights = find_beads(image, 5)
        kind = parts_of(lights)
        middle = points[kind == 1]
        if len(middle) < 4 or len(middle) % 2 or len(points) > 300:  # no film of beads
            return LocatedFilmColumn(np.zeros((0, 2)), np.zeros(0), np.zeros(0), 0.5)
        middle = middle[np.argsort(middle[:, 0])]
        centres = 0.5 * (middle[0::2] + middle[1::2])
        height = np.linalg.norm(middle[0::2] - middle[1::2], axis=1)
        at = np.linspace(0, len(centres) - 1, 6 * len(centres))
        index = np.arange(len(centres))
        located = np.stack([np.interp(at, index, centres[:, a]) for a in (0, 1)], axis=1)[self.keep]
        sizes = np.full(len(located), float(np.median(height)) * self.size)
        right = self.facing if self.facing is not None else (0.99 if _faces_right(points, kind) else 0.01)
        return LocatedFilmColumn(located, np.ones(len(located)), sizes, right)


@dataclass
class OracleFilmDetector:
    """Finds beads on the strip. It sees nothing of a column that faces the other way, and no body whose size is off by
    more than `size_tolerance`, as a network that was not trained on such."""

    levels: tuple[str, ...]
    strip_spec: StripSpec = field(default_factory=StripSpec)
    sd: float = 0.4
    fracture_score: float = 0.5
    size_tolerance: float = 0.5

    def detect(self, strip: np.ndarray, inside: np.ndarray) -> list[Detection]:
        points, lights = find_beads(np.where(inside, strip, strip[inside].min()), 5)
        bright = lights > 0.95
        if bright.sum() == 1:  # the head's, no vertebra's
            points, lights = points[~bright], lights[~bright] / lights[~bright].max(initial=1e-6)
        if len(points) < 6:
            return []
        kind = column_class(points[:, 1])
        if lights[kind == 0].mean() < lights[kind == 2].mean():
            return []
        in_middle = kind == 1
        is_centre = in_middle & (lights < 0.6 * lights[in_middle].max())
        files = [points[(kind == n) & ~is_centre] for n in range(3)]
        found = []
        for i, centre in enumerate(sorted(points[is_centre].tolist())):
            body = np.concatenate([_ends(f, np.array(centre)) for f in files])
            if not np.isfinite(body).all():
                continue
            size = np.linalg.norm(body[0::2] - body[1::2], axis=1).max() / self.strip_spec.pixels_a_body_height
            if abs(np.log(size)) > self.size_tolerance:
                continue
            scores = np.full(len(LEVELS), -8.0)
            if i < len(self.levels):
                scores[LEVELS.index(self.levels[i])] = 0.0
            sd = np.full((6, 2), self.sd)
            found.append(Detection(0.95, body.mean(axis=0), body, sd, scores, self.fracture_score))
        return found


def _ends(beads: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """(2, 2) the beads of one file next above and below a body's centre; where one is hidden, as far away as the other;
    nan where both are."""
    offset = beads[:, 0] - centre[0]
    reach = 26.0
    above = beads[(offset < 0) & (offset > -reach)]
    below = beads[(offset > 0) & (offset < reach)]
    superior = above[np.argmax(above[:, 0])] if len(above) else np.full(2, np.nan)
    inferior = below[np.argmin(below[:, 0])] if len(below) else np.full(2, np.nan)
    if not len(below):
        inferior = superior + np.array([2 * (centre[0] - superior[0]), 0.0])
    if not len(above):
        superior = inferior + np.array([2 * (centre[0] - inferior[0]), 0.0])
    return np.stack([superior, inferior])


def oracle_film_models(patient: FilmPatient, view: OracleViewReader | None = None) -> FilmModels:
    """Models that read the beads; they know this patient's levels, and nothing else of him."""
    return FilmModels(
        OracleFilmLocator(), OracleFilmDetector(patient.levels), view or OracleViewReader(), GradeCalibration()
    )


def _faces_right(points: np.ndarray, kind: np.ndarray) -> bool:
    return bool(points[kind == 0, 1].mean() > points[kind == 2, 1].mean())


def _one(names: Sequence[str], name: str) -> np.ndarray:
    p = np.full(len(names), 0.02)
    p[list(names).index(name)] = 1.0 - 0.02 * (len(names) - 1)
    return p


def write_film(film: Radiograph, path: Path, uids: tuple[str, str, str], number: int = 1, **header: Any) -> Path:
    """A DX instance of a film. uids: of study, series and instance."""
    data = FileDataset(str(path), {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    data.SOPClassUID, data.Modality = DigitalXRayImageStorageForPresentation, "DX"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.SOPInstanceUID = uids
    data.PatientID, data.PatientName, data.StudyDate, data.InstanceNumber = "4711", "A^B", "20200301", number
    data.ImageType, data.PresentationIntentType = ["ORIGINAL", "PRIMARY", ""], "FOR PRESENTATION"
    data.PixelIntensityRelationshipSign = -1
    low, high = float(film.image.min()), float(film.image.max())
    data.Rows, data.Columns = film.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PixelData = np.rint((film.image - low) / (high - low) * 4000 + 40).astype("<u2").tobytes()
    for name, value in header.items():
        setattr(data, name, value)
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    data.file_meta.MediaStorageSOPInstanceUID = UID(uids[2])
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path
