"""Films of the demo archive: a synthetic patient projected, exposed, and where every vertebra lies on the picture.

Belongs here: where source, patient and detector stand for a `FilmPlan`, the body that is projected, the pixels that are
stored. Does not belong here: projection, exposure, DICOM (`film_writer`), who is projected (`demo_cast`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.volume import Volume
from vfscreen.synthesis.anatomy import Float, PatientSpec, vertebra_truth
from vfscreen.synthesis.beam_objects import Blob, Rod, paint
from vfscreen.synthesis.beam_scenes import NO_OBJECTS
from vfscreen.synthesis.demo_plan import FilmPlan
from vfscreen.synthesis.demo_volumes import affine_of, centres_between
from vfscreen.synthesis.film_look import apply_look, draw_look
from vfscreen.synthesis.grid import lps
from vfscreen.synthesis.patient import VertebraTruth
from vfscreen.synthesis.phantom import Scene
from vfscreen.synthesis.projection import FilmGeometry, Part, project

Image = NDArray[np.float32]

SIDE_MIN_PX = 264
"""However coarse an archive is made, no film is smaller: it would be refused for its size."""

_GREY = 4095.0
_BEYOND_MM = 25.0
_SACRUM_MM = 60.0
_FINE_MM, _COARSE_MM = 1.2, 4.0
_BLEND_MM = 9.0
_BORDER = (0.02, 0.03, 0.06, 0.08)
_WHOLE_MARGIN_PX = 1.0
_PROCESSING: dict[str, Any] = {
    **{"veil_mm": 0.0, "veil_slope_mm": 0.0, "photons": 2e6, "grain": 0.002, "inverted": False},
    **{"base_gain": 0.45, "base_mm": 35.0, "detail_gain": 2.2, "local_share": 0.5, "local_mm": 40.0},
    **{"black": 4.0, "white": 99.0, "gamma": 1.0, "curve": 0.3},
}
"""As a department sets its stations up: one processing for every film. What the beam does is drawn."""


def film_geometry(plan: FilmPlan, spec: PatientSpec, pixel_factor: float = 1.0) -> FilmGeometry:
    """Where source and detector stand. pixel_factor: coarser pixels, down to SIDE_MIN_PX a side."""
    pixel = min(plan.pixel_mm * pixel_factor, plan.width_mm / SIDE_MIN_PX)
    inside = centres_between(spec, plan.top, plan.bottom)
    high = inside[0, 2] + _BEYOND_MM
    low = inside[-1, 2] - (_SACRUM_MM if plan.bottom == "S" else _BEYOND_MM)
    enlarged = plan.source_detector_mm / plan.source_axis_mm
    centre = np.array([inside[:, 0].mean(), inside[:, 1].mean() - 15.0, 0.5 * (high + low)])
    return FilmGeometry(
        centre_lps_mm=centre,
        rows=round((high - low) * enlarged / pixel),
        columns=round(plan.width_mm / pixel),
        view="ap" if plan.kind == "ap" else "lateral",
        source_detector_mm=plan.source_detector_mm,
        source_axis_mm=plan.source_axis_mm,
        pixel_mm=pixel,
        yaw_deg=plan.yaw_deg,
        pitch_deg=plan.pitch_deg,
    )


def vertebrae_on(plan: FilmPlan, spec: PatientSpec, geometry: FilmGeometry) -> list[tuple[VertebraTruth, Float, bool]]:
    """Vertebrae that a lateral film shows at least in part, from the top: what is true of each, its six points (6, 2)
    (row, column) on the stored picture, and whether all of them are on it."""
    found = []
    top, bottom, left, right = _BORDER if plan.collimated else (0.0,) * 4
    first = np.array([top * geometry.rows, left * geometry.columns]) + _WHOLE_MARGIN_PX
    last = np.array([(1 - bottom) * geometry.rows, (1 - right) * geometry.columns]) - 1.0 - _WHOLE_MARGIN_PX
    for truth in vertebra_truth(spec):
        px = geometry.to_px(truth.keypoints_lps_mm)
        inside = ((px >= first) & (px <= last)).all(axis=1)
        if inside.any():
            found.append((truth, _flipped(px, geometry) if plan.flipped else px, bool(inside.all())))
    return found


def render_film(plan: FilmPlan, spec: PatientSpec, geometry: FilmGeometry, seed: int) -> NDArray[np.uint16]:
    """(rows, columns) of 12 bits as they are stored, bone bright unless `plan.inverse`."""
    rng = np.random.default_rng(seed)
    shape = geometry.rows, geometry.columns
    if plan.kind == "hand":
        soft, bone = _hand(shape, geometry.axis_pixel_mm)
        points = None
    else:
        made = project(_body(spec, geometry), geometry)
        soft, bone = made.soft, made.bone
        shown = [geometry.to_px(t.keypoints_lps_mm) for t in vertebra_truth(spec)]
        points = np.stack(shown) if plan.kind == "lateral" else None
    look = draw_look(rng, shape, geometry.axis_pixel_mm, points, NO_OBJECTS)
    marks = replace(
        look.marks, seams=(), letters=(), scratches=0, light=(0.0, 0.0), quality=0, grid_mm=0.0, bits=12,
        border=_BORDER if plan.collimated else (0.0,) * 4, border_tone=0.0,
    )  # fmt: skip
    exposure = replace(look.exposure, **_PROCESSING, scatter=min(look.exposure.scatter, 0.25))
    film, _ = apply_look(soft, bone, geometry.axis_pixel_mm, replace(look, marks=marks, exposure=exposure))
    film = film[:, ::-1] if plan.flipped else film
    stored = np.rint((1.0 - film if plan.inverse else film) * np.float32(_GREY)).astype(np.uint16)
    return np.ascontiguousarray(stored)


def orientation_of(plan: FilmPlan) -> tuple[str, str] | None:
    """PatientOrientation: where a row and a column of the stored picture lead."""
    if plan.view_position is None or plan.kind == "hand":
        return None
    if plan.kind == "ap":
        return "L", "F"
    return ("A" if plan.flipped else "P"), "F"


def _flipped(px: Float, geometry: FilmGeometry) -> Float:
    return np.stack([px[:, 0], geometry.columns - 1.0 - px[:, 1]], axis=1)


def _body(spec: PatientSpec, geometry: FilmGeometry) -> list[Part]:
    """Fine voxels around the column, coarse ones of the trunk, one fading into the other."""
    scene = Scene.of(spec)
    reach = 0.5 * geometry.rows * geometry.axis_pixel_mm
    centres = np.stack([v.centre_lps_mm for v in spec.vertebrae])
    near = np.abs(centres[:, 2] - geometry.centre_lps_mm[2]) < reach + 40.0
    low = centres[near].min(axis=0) - lps(48.0, 52.0, 0.0)
    high = centres[near].max(axis=0) + lps(48.0, 80.0, 0.0)
    # rays spread: what is nearer to the source than the column shows beyond the film's ends
    ends = geometry.centre_lps_mm[2] + np.array([-1.35, 1.35]) * (reach + 10.0)
    low[2], high[2] = ends
    trunk_low = lps(low[0] - 200.0, low[1] - 260.0, ends[0])
    trunk_high = lps(high[0] + 200.0, high[1] + 60.0, ends[1])
    fine, coarse = _rendered(scene, low, high, _FINE_MM), _rendered(scene, trunk_low, trunk_high, _COARSE_MM)
    return [Part(fine, _share(fine, low, high)), Part(coarse, 1.0 - _share(coarse, low, high), bin=2)]


def _rendered(scene: Scene, low: Float, high: Float, step: float) -> Volume:
    shape = tuple(int(n) for n in np.ceil((high - low) / step) + 1)
    affine = affine_of((step, 0, 0), (0, step, 0), (0, 0, step), low)
    return scene.render(affine, (shape[0], shape[1], shape[2]), None, table=False)


def _share(volume: Volume, low: Float, high: Float) -> Image:
    """(K, J, I): 1 inside the box, 0 from its side walls on; along the body the box has no end."""
    shares = []
    for axis in range(2):
        place = volume.affine_lps[axis, 3] + np.arange(volume.shape_ijk[axis]) * volume.affine_lps[axis, axis]
        shares.append(np.clip(np.minimum(place - low[axis], high[axis] - place) / _BLEND_MM, 0.0, 1.0))
    plane = shares[1][:, None] * shares[0][None, :]
    return np.broadcast_to(plane.astype(np.float32), (volume.shape_ijk[2], *plane.shape)).copy()


def _hand(shape: tuple[int, int], pixel_mm: float) -> tuple[Image, Image]:
    """A left hand, palm down: five rays of a metacarpal and phalanges, a carpus, two bones of the forearm."""
    mm = 1.0 / pixel_mm
    wrist, down = np.array([0.72 * shape[0], 0.5 * shape[1]]), np.array([mm, 0.0])
    objects: list[Rod | Blob] = [
        Blob(wrist - 30 * down, (42 * mm, 40 * mm), "soft", 1.0, 24.0, power=3.0),
        Rod(np.stack([wrist, wrist + 150 * down]), 27 * mm, "soft", 0.8),
    ]
    for aside in (-11.0, 11.0):
        beside = wrist + np.array([0.0, aside * mm])
        objects.append(Rod(np.stack([beside + 4 * down, beside + 150 * down]), 7 * mm, "bone", 0.8, 4.5 * mm))
    for n in range(8):
        at = wrist + np.array([-8.0 - 9.0 * (n // 4), (n % 4 - 1.5) * 11.0]) * mm
        objects.append(Blob(at, (6.5 * mm, 6.0 * mm), "bone", 0.35, 14.0))
    lengths = ((42, 30, 25), (60, 40, 24, 18), (58, 44, 28, 19), (52, 41, 26, 19), (48, 33, 19, 17))
    for ray, (angle_deg, bones) in enumerate(zip((-58, -16, -3, 9, 22), lengths, strict=True)):
        way = np.array([-np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))])
        at = wrist + np.array([-22.0, (ray - 2) * 10.0]) * mm
        objects.append(Rod(np.stack([at, at + way * (sum(bones) + 12) * mm]), 9.5 * mm, "soft", 0.9))
        for n, length in enumerate(bones):
            end = at + way * length * mm
            objects.append(Rod(np.stack([at, end]), (5.2 - 0.7 * n) * mm, "bone", 0.9, (3.2 - 0.5 * n) * mm))
            at = end + way * 2.5 * mm
    painted = paint(objects, shape, pixel_mm)
    return painted["soft"], painted["bone"]
