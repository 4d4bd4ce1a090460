"""The vertebra detector: windows a slab, runs the network, decodes detections.

Belongs here: preprocessing and decoding of `VertebraNet`. Does not belong here: the network itself (networks2d),
levels of the whole column and geometry in the patient (spine, screening).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from vfscreen.geometry.volume import AIR_HU
from vfscreen.models.backends import Backend, choose_backend
from vfscreen.models.cards import IntensityWindow, WeightCard, load_into, read_card
from vfscreen.models.networks2d import OFFSET_SCALE, PADDING, STRIDE, VertebraNet
from vfscreen.models.ports import Detection
from vfscreen.schema.names import KEYPOINTS
from vfscreen.spine.straighten import SlabSpec

Float = NDArray[np.float64]


@dataclass(frozen=True)
class DecodeParameters:
    """How the network's output is read; `decode` of the card.

    score_min: detections below are not returned. overlap_max: share of the shorter body's rows two detections may
    have in common. window_px: half-width of the window in which a point's heat map is read. refine_steps: times
    the window is centred again on what it found. sd_scale, sd_floor_mm: key point standard deviation is
    sqrt((sd_scale * spread)^2 + sd_floor^2), spread being that of the heat map in its window; fitted on volumes the
    network never saw.
    """

    score_min: float = 0.3
    overlap_max: float = 0.4
    window_px: int = 7
    refine_steps: int = 2
    sd_scale: float = 1.0
    sd_floor_mm: float = 0.3


def window_hu(hu: NDArray[np.float32], window: IntensityWindow) -> NDArray[np.float32]:
    """HU -> the network's input units."""
    clipped = np.clip(hu, window.lower_hu, window.upper_hu)
    return np.asarray((clipped - window.centre_hu) / window.scale_hu, dtype=np.float32)


class SlabVertebraDetector:
    """`ports.VertebraDetector` on `VertebraNet`."""

    def __init__(self, backend: Backend, spec: SlabSpec, window: IntensityWindow, decode: DecodeParameters) -> None:
        self._backend = backend
        self._spec = spec
        self._window = window
        self._decode = decode

    @property
    def slab_spec(self) -> SlabSpec:
        return self._spec

    @property
    def decode_parameters(self) -> DecodeParameters:
        return self._decode

    @property
    def backend_name(self) -> str:
        return self._backend.name

    def detect(self, hu: NDArray[np.float32]) -> list[Detection]:
        """(planes, rows, columns) HU of the slab -> detections, superior to inferior.

        Key points may lie outside the image where the vertebra is cut. Raises ValueError for another number of planes
        or columns than `slab_spec` says.
        """
        expected = (len(self._spec.plane_offsets_mm), self._spec.columns)
        if hu.ndim != 3 or (hu.shape[0], hu.shape[2]) != expected:
            raise ValueError(f"slab of shape {hu.shape} does not have {expected[0]} planes and {expected[1]} columns")
        rows, columns = hu.shape[1], hu.shape[2]
        if rows == 0:
            return []
        # what lies beyond the slab looks like what lies beyond a volume
        pad = ((0, 0), (0, -rows % PADDING), (0, -columns % PADDING))
        image = window_hu(np.pad(hu, pad, constant_values=AIR_HU), self._window)
        return decode(self._backend.run(image[None]), self._decode, self._spec.pixel_mm, rows)


def decode(
    outputs: Mapping[str, NDArray[np.float32]], parameters: DecodeParameters, pixel_mm: float, rows: int
) -> list[Detection]:
    """Detections in one image from the network's outputs (batch of one), superior to inferior.

    rows: rows of the image before padding; centres below them are dropped.
    """
    centre = _sigmoid(outputs["centre"][0, 0])
    peaks = np.argwhere((centre >= parameters.score_min) & (centre == maximum_filter(centre, size=3)))
    peaks = peaks[np.argsort(-centre[peaks[:, 0], peaks[:, 1]], kind="stable")]
    points_map = outputs["points"][0]
    kept: list[Detection] = []
    for row, column in peaks:
        offsets = outputs["offsets"][0, :, row, column].astype(np.float64).reshape(len(KEYPOINTS), 2)
        cell = (np.array([row, column]) + 0.5) * STRIDE - 0.5
        regressed = cell + offsets * OFFSET_SCALE
        if regressed.mean(axis=0)[0] >= rows:
            continue
        keypoints, spread = _refine(points_map, regressed, parameters)
        candidate = Detection(
            score=float(centre[row, column]),
            centre=keypoints.mean(axis=0),
            keypoints=keypoints,
            keypoint_sd_mm=np.hypot(parameters.sd_scale * spread * pixel_mm, parameters.sd_floor_mm),
            level_scores=_log_softmax(outputs["levels"][0, :, row, column].astype(np.float64)),
            fracture_score=float(_sigmoid(outputs["fracture"][0, 0, row, column])),
        )
        if all(_overlap(candidate, other) <= parameters.overlap_max for other in kept):
            kept.append(candidate)
    return sorted(kept, key=lambda d: float(d.centre[0]))


def _refine(heat: NDArray[np.float32], regressed: Float, parameters: DecodeParameters) -> tuple[Float, Float]:
    """Move each regressed point to the mean of its heat map in a window around it.

    heat: (6, H, W) logits. regressed: (6, 2). Returns points (6, 2) and the heat maps' standard deviations (6, 2), both
    in pixels. A point whose window leaves the image keeps its regressed place.
    """
    half = parameters.window_px
    height, width = heat.shape[1:]
    points, spread = regressed.copy(), np.full_like(regressed, half / 2.0)
    axis = np.arange(-half, half + 1, dtype=np.float64)
    for k in range(len(points)):
        for _ in range(parameters.refine_steps):
            r, c = (int(v) for v in np.rint(points[k]))
            if r - half < 0 or c - half < 0 or r + half >= height or c + half >= width:
                points[k] = regressed[k]
                break
            patch = heat[k, r - half : r + half + 1, c - half : c + half + 1].astype(np.float64)
            weight = np.exp(patch - patch.max())
            weight /= weight.sum()
            marginals = weight.sum(axis=1), weight.sum(axis=0)
            mean = np.array([m @ axis for m in marginals])
            points[k] = np.array([r, c]) + mean
            spread[k] = [np.sqrt(max(float(m @ (axis - o) ** 2), 0.0)) for m, o in zip(marginals, mean, strict=True)]
    return points, spread


def _overlap(a: Detection, b: Detection) -> float:
    """Shared share of the shorter of two bodies, along the column."""
    top = [float(d.keypoints[0::2, 0].mean()) for d in (a, b)]
    bottom = [float(d.keypoints[1::2, 0].mean()) for d in (a, b)]
    shared = min(bottom) - max(top)
    shorter = max(min(bottom[0] - top[0], bottom[1] - top[1]), 1.0)
    return shared / shorter


def _sigmoid(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-np.clip(x, -60.0, 60.0)))


def _log_softmax(x: Float) -> Float:
    shifted = x - x.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))


def build_network(card: WeightCard) -> VertebraNet:
    """An untrained network of the card's architecture and hyperparameters."""
    return VertebraNet(planes=int(card.hyperparameters["planes"]), widths=tuple(card.hyperparameters["widths"]))


def load_vertebra_detector(card_path: Path, device: str = "auto", threads: int | None = None) -> SlabVertebraDetector:
    """The detector of a card, weights verified, on the back end chosen for this machine.

    Raises WeightsError (card, weights), SettingsError (device).
    """
    card = read_card(card_path)
    network = build_network(card)
    load_into(network, card, card_path)
    slab = card.preprocessing.slab
    if slab is None:
        raise ValueError(f"card {card.name} describes no slab")
    spec = slab.spec()
    columns = spec.columns + (-spec.columns % PADDING)
    example = np.random.default_rng(0).normal(size=(1, network.planes, 4 * PADDING, columns)).astype(np.float32)
    backend = choose_backend(network, example, device, threads)
    return SlabVertebraDetector(backend, spec, card.preprocessing.hu_window(), DecodeParameters(**card.decode))
