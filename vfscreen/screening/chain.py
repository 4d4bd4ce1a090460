"""One volume in, measured vertebrae out: locate, straighten, detect, label, measure, interpret, density.

Belongs here: the order of the steps and what passes between them. Does not belong here: reading files, rows, pictures
(pure of I/O), or any step itself (models, spine, morphometry).

The method is that of Zakharov, Pisov et al., Medical Image Analysis 83 (2023). Deterministic: the same volume,
models and settings give the same result.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vfscreen.density.acquisition import NO_HEADER, Acquisition
from vfscreen.errors import ReasonCode, Rejected, Stage
from vfscreen.geometry.curve import Centreline
from vfscreen.geometry.volume import Volume
from vfscreen.models.ports import Detection, LocatedColumn, ModelSet, RibReader
from vfscreen.morphometry.heights import body_heights_mm, height_sd_mm
from vfscreen.screening.measure import UNCALIBRATED, Found, interpret, with_density
from vfscreen.screening.refine import BodyPoints, read_points
from vfscreen.screening.result import ScreeningResult
from vfscreen.screening.truncation import ends_in_padding, is_truncated
from vfscreen.settings import ScreeningSettings
from vfscreen.spine.centreline import fit_centreline, refit_through
from vfscreen.spine.labelling import LabelledColumn, label_column, sacrum_top_s_mm, wide_view_at
from vfscreen.spine.straighten import StraightenedSlab, straighten
from vfscreen.spine.symmetry import mirror_planes

Float = NDArray[np.float64]


def screen_volume(
    volume: Volume,
    models: ModelSet,
    settings: ScreeningSettings,
    checkpoint: Callable[[], None] = lambda: None,
    acquisition: Acquisition = NO_HEADER,
) -> ScreeningResult:
    """Screen one CT volume, of any orientation and handedness.

    checkpoint: called between the steps; what it raises ends the screening (a time limit, say). acquisition: what the
    headers say; only density asks (voltage, kernel, contrast), and without them its corrected values are missing.
    Raises Rejected with SPINE_NOT_FOUND where the locator sees no column, VERTEBRAE_NOT_FOUND where the detector sees
    no vertebra on it. A vertebra cut by the volume's edge is in the result, truncated and not graded.
    """
    located = models.locator.locate(volume)
    checkpoint()
    centreline = fit_centreline(located.points_lps_mm, located.presence)
    if centreline is None:
        raise Rejected(
            Stage.LOCATE,
            ReasonCode.SPINE_NOT_FOUND,
            f"No vertebral column of at least 30 mm among {len(located.points_lps_mm)} candidate positions.",
        )
    slab, detections = _detect(volume, centreline, models, settings)
    checkpoint()
    if off_centre_mm(slab, detections) > settings.recentre_mm:
        centres = slab.to_lps(np.stack([d.centre for d in detections]))
        centreline = refit_through(centreline, centres)
        slab, detections = _detect(volume, centreline, models, settings)
        checkpoint()
    if not detections:
        raise Rejected(
            Stage.DETECT,
            ReasonCode.VERTEBRAE_NOT_FOUND,
            f"No vertebra on a centreline of {centreline.length_mm:.0f} mm.",
        )
    column = _label(volume, slab, detections, located, models.ribs)
    centres = np.stack([d.centre for d in detections])
    left_mm = mirror_planes(volume, slab.centreline, slab.to_curve(centres))
    points = read_points(volume, slab, detections, left_mm, models.endplates)
    checkpoint()
    found = [
        _measure(volume, detection, points[i], column, i, settings)
        for i, detection in enumerate(detections)
        if column.levels[i] != "S"  # a sacrum that looked like a vertebra is none
    ]
    if not found:
        raise Rejected(
            Stage.DETECT, ReasonCode.VERTEBRAE_NOT_FOUND, "Nothing but the sacrum was detected on the centreline."
        )
    calibration = models.endplates.grade_calibration if models.endplates is not None else UNCALIBRATED
    vertebrae, patient = interpret(found, volume, settings, calibration)
    checkpoint()
    vertebrae, density = with_density(volume, vertebrae, acquisition, settings.density)
    return ScreeningResult(_through_bodies(slab.centreline, found), vertebrae, patient, slab, density)


def _through_bodies(located: Centreline, found: list[Found]) -> Centreline:
    """The course that the measured bodies give the centreline, whose own was read on a grid of millimetres."""
    bodies = [v.keypoints_lps_mm.mean(axis=0) for v in found if not v.truncated]
    return refit_through(located, np.stack(bodies)) if len(bodies) >= 2 else located


def off_centre_mm(slab: StraightenedSlab, detections: list[Detection]) -> float:
    """How far the centreline runs from the bodies it was meant to run through: the largest distance within the slab."""
    if len(detections) < 2:
        return 0.0
    columns = np.array([d.centre[1] for d in detections])
    return float(np.abs(columns * slab.spec.pixel_mm - slab.spec.anterior_mm).max())


def _detect(
    volume: Volume, centreline: Centreline, models: ModelSet, settings: ScreeningSettings
) -> tuple[StraightenedSlab, list[Detection]]:
    slab = straighten(volume, centreline, models.detector.slab_spec)
    detections = [d for d in models.detector.detect(slab.hu) if d.score >= settings.detection_threshold]
    return slab, sorted(detections, key=lambda d: float(d.centre[0]))


def _label(
    volume: Volume,
    slab: StraightenedSlab,
    detections: list[Detection],
    located: LocatedColumn,
    rib_reader: RibReader | None,
) -> LabelledColumn:
    rows = np.array([d.centre[0] for d in detections])
    centres_s_mm = rows * slab.spec.pixel_mm - slab.spec.margin_mm
    wide, sacrum_top = None, None
    if located.level_log_likelihood is not None and len(located.points_lps_mm):
        candidates = slab.centreline.from_lps(located.points_lps_mm)[:, 0]
        order = np.argsort(candidates, kind="stable")
        candidates, votes = candidates[order], located.level_log_likelihood[order]
        wide = wide_view_at(centres_s_mm, candidates, votes)
        top = sacrum_top_s_mm(candidates, votes)
        above = centres_s_mm[centres_s_mm < top] if top is not None else np.zeros(0)
        sacrum_top = float(top - above.max()) if top is not None and above.size else None
    ribs = None
    if rib_reader is not None:
        spec = rib_reader.slab_spec
        around = straighten(volume, slab.centreline, spec)
        ribs = rib_reader.read(around.hu, (centres_s_mm + spec.margin_mm) / spec.pixel_mm)
    centres = slab.to_lps(np.stack([d.centre for d in detections]))
    return label_column(centres, np.stack([d.level_scores for d in detections]), wide, sacrum_top, ribs)


def _measure(
    volume: Volume,
    detection: Detection,
    points: BodyPoints,
    column: LabelledColumn,
    index: int,
    settings: ScreeningSettings,
) -> Found:
    """A detection with its points, in patient coordinates."""
    keypoints = points.keypoints_lps_mm
    level, probability = column.levels[index], float(column.probabilities[index])
    return Found(
        vertebra_level=level,
        level_probability=None if level is None else probability,
        level_certain=level is not None
        and bool(column.landmarks)
        and probability >= settings.level_certain_probability,
        detection_probability=float(detection.score),
        centre_lps_mm=keypoints.mean(axis=0),
        keypoints_lps_mm=keypoints,
        keypoint_sd_mm=np.sqrt(np.mean(np.square(points.sd_mm), axis=1)),
        heights_mm=body_heights_mm(keypoints),
        height_sd_mm=height_sd_mm(points.plane_mm, points.sd_mm),
        fracture_score=float(detection.fracture_score),
        truncated=is_truncated(volume, keypoints, settings.truncation_margin_mm) or ends_in_padding(volume, keypoints),
    )
