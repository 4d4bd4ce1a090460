"""The endplate reader: windows patches of single vertebrae, runs the network, reads the six points off.

Belongs here: preprocessing and decoding of `EndplateNet`. Does not belong here: the network (networks2d), where patches
come from (spine.patches) and what is done with the points (screening.refine).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfscreen.errors import WeightsError
from vfscreen.models.backends import Backend, choose_backend
from vfscreen.models.cards import IntensityWindow, WeightCard, load_into, read_card
from vfscreen.models.networks2d import EndplateNet
from vfscreen.models.ports import PatchReading
from vfscreen.models.vertebra import window_hu
from vfscreen.morphometry.probability import GradeCalibration
from vfscreen.spine.patches import PatchSpec

Float = NDArray[np.float64]

CORNERS = [0, 1, 4, 5]
"""Where the network's corners go among the six points of KEYPOINTS."""


@dataclass(frozen=True)
class EndplateDecode:
    """How the network's distributions are read; `decode` of the card.

    A point is the mean of its distribution within `window_rows` x `window_columns` (half-widths) of its mode: a mean
    over everything would lie between two candidates, where there is nothing. middle_half: the middle of an endplate is
    read over this many columns to either side. Key point standard deviation: sqrt((sd_scale * spread)^2 + sd_floor^2),
    spread being the whole distribution's about the point; fitted on volumes the network never saw, as are grade_offset
    and grade_slope (morphometry.probability.GradeCalibration).
    """

    window_rows: int = 5
    window_columns: int = 6
    middle_half: int = 2
    sd_scale: float = 1.0
    sd_floor_mm: float = 0.3
    grade_offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    grade_slope: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def grade_calibration(self) -> GradeCalibration:
        return GradeCalibration(self.grade_offset, self.grade_slope)


class PatchEndplateReader:
    """`ports.EndplateReader` on `EndplateNet`."""

    def __init__(self, backend: Backend, spec: PatchSpec, window: IntensityWindow, decode: EndplateDecode) -> None:
        self._backend = backend
        self._spec = spec
        self._window = window
        self._decode = decode

    @property
    def patch_spec(self) -> PatchSpec:
        return self._spec

    @property
    def decode_parameters(self) -> EndplateDecode:
        return self._decode

    @property
    def grade_calibration(self) -> GradeCalibration:
        return self._decode.grade_calibration

    def read(self, hu: NDArray[np.float32]) -> PatchReading:
        """(n, planes, rows, columns) HU -> the six points of each patch's vertebra.

        Raises ValueError for patches of another shape than `patch_spec` says.
        """
        expected = (len(self._spec.plane_offsets_mm), self._spec.rows, self._spec.columns)
        if hu.ndim != 4 or hu.shape[1:] != expected:
            raise ValueError(f"patches of shape {hu.shape} are not (n, {', '.join(map(str, expected))})")
        if not len(hu):
            return PatchReading(np.zeros((0, 6, 2)), np.zeros((0, 6, 2)))
        outputs = self._backend.run(window_hu(hu, self._window))
        return decode_patches(outputs["corners"], outputs["plates"], self._decode)

    def sd_mm(self, spread_px: Float, pixel_mm: float) -> Float:
        """Standard deviations in mm of points whose distributions are `spread_px` wide."""
        return np.hypot(self._decode.sd_scale * spread_px * pixel_mm, self._decode.sd_floor_mm)


def decode_patches(
    corners: NDArray[np.float32], plates: NDArray[np.float32], parameters: EndplateDecode
) -> PatchReading:
    """corners (n, 4, H, W), plates (n, 2, H, W) logits -> points and spreads."""
    n, width = len(corners), corners.shape[3]
    points, spread = np.zeros((n, 6, 2)), np.zeros((n, 6, 2))
    weight = np.exp(corners - corners.max(axis=(2, 3), keepdims=True))
    for i in range(n):
        for k, point in enumerate(CORNERS):
            points[i, point], spread[i, point] = _read_corner(weight[i, k], parameters)
        for k in (0, 1):
            column = (points[i, k, 1] + points[i, 4 + k, 1]) / 2
            first = int(np.clip(round(column) - parameters.middle_half, 0, width - 2 * parameters.middle_half - 1))
            logits = plates[i, k, :, first : first + 2 * parameters.middle_half + 1].astype(np.float64)
            share = np.exp(logits - logits.max(axis=0))
            profile = (share / share.sum(axis=0)).mean(axis=1)
            row, row_spread = _read_profile(profile, parameters.window_rows)
            points[i, 2 + k] = row, column
            spread[i, 2 + k] = row_spread, float(np.hypot(spread[i, k, 1], spread[i, 4 + k, 1])) / 2
    return PatchReading(points, spread)


def _read_corner(weight: NDArray[np.float32], parameters: EndplateDecode) -> tuple[Float, Float]:
    """Mean about the mode and spread of a distribution (H, W), rows and columns."""
    row, column = np.unravel_index(int(weight.argmax()), weight.shape)
    rows = slice(max(int(row) - parameters.window_rows, 0), int(row) + parameters.window_rows + 1)
    columns = slice(max(int(column) - parameters.window_columns, 0), int(column) + parameters.window_columns + 1)
    near = weight[rows, columns].astype(np.float64)
    at = np.arange(rows.start, rows.start + near.shape[0]), np.arange(columns.start, columns.start + near.shape[1])
    point = np.array([near.sum(axis=1) @ at[0], near.sum(axis=0) @ at[1]]) / near.sum()
    total = float(weight.sum())
    marginals = weight.sum(axis=1) / total, weight.sum(axis=0) / total
    spread = [np.sqrt(m @ (np.arange(len(m)) - o) ** 2) for m, o in zip(marginals, point, strict=True)]
    return point, np.array(spread)


def _read_profile(profile: Float, half: int) -> tuple[float, float]:
    """Mean about the mode and spread of a distribution (H,)."""
    mode = int(profile.argmax())
    low = max(mode - half, 0)
    near = profile[low : mode + half + 1]
    row = float(near @ np.arange(low, low + len(near)) / near.sum())
    return row, float(np.sqrt(profile @ (np.arange(len(profile)) - row) ** 2))


def build_network(card: WeightCard) -> EndplateNet:
    """An untrained network of the card's architecture and hyperparameters."""
    return EndplateNet(planes=int(card.hyperparameters["planes"]), widths=tuple(card.hyperparameters["widths"]))


def load_endplate_reader(card_path: Path, device: str = "auto", threads: int | None = None) -> PatchEndplateReader:
    """The reader of a card, weights verified, on the back end chosen for this machine.

    Raises WeightsError (card, weights), SettingsError (device).
    """
    card = read_card(card_path)
    patch = card.preprocessing.patch
    if patch is None:
        raise WeightsError(f"card {card.name} describes no patch; it is not one of an endplate network")
    network = build_network(card)
    load_into(network, card, card_path)
    spec = patch.spec()
    example = np.random.default_rng(0).normal(size=(1, network.planes, spec.rows, spec.columns)).astype(np.float32)
    backend = choose_backend(network, example, device, threads)
    return PatchEndplateReader(backend, spec, card.preprocessing.hu_window(), EndplateDecode(**card.decode))
