"""The locator: from a whole volume to the vertebral column's course, with a word on levels.

Belongs here: reading the 3D network's outputs as a column, loading it from a card. Does not belong here: the coarse
grid (models.lowres), layers (networks3d), fitting the curve (spine.centreline).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfscreen.errors import WeightsError
from vfscreen.geometry.volume import Volume
from vfscreen.models.backends import Backend, choose_backend
from vfscreen.models.cards import WeightCard, load_into, read_card
from vfscreen.models.lowres import CELL_MM, LowResGrid, to_low_resolution
from vfscreen.models.networks3d import PADDING, STRIDE, LocatorNet
from vfscreen.models.ports import COLUMN_CLASSES, LocatedColumn

Float = NDArray[np.float64]
Image = NDArray[np.float32]

_STEP_COST = 0.1
"""Log probability that a step of one cell aside costs; it grows with the square of the step."""


@dataclass(frozen=True)
class LocatorParameters:
    """Numbers of a card's `decode`.

    presence_min: positions of lower probability are dropped. window_cells: half the window around the path in which
    the heat map's mean is taken. step_max_cells: how far the path may move aside from one axial position to the next.
    gap_max: positions a run may miss. level_temperature: divides the level logits (calibration).
    """

    presence_min: float = 0.5
    window_cells: int = 4
    step_max_cells: int = 3
    gap_max: int = 4
    level_temperature: float = 1.0


class GridLocator:
    """`Locator` on the coarse grid."""

    def __init__(self, backend: Backend, parameters: LocatorParameters) -> None:
        self._backend = backend
        self._parameters = parameters

    def locate(self, volume: Volume) -> LocatedColumn:
        """See `Locator.locate`. Positions are `STRIDE * CELL_MM` apart along z.

        The network sees the grid and its mirror image (left and right exchanged) and what it says of the two is
        averaged, so that a mirrored patient has a mirrored column.
        """
        grid = to_low_resolution(volume)
        if grid.image.size == 0:
            return _empty()
        pad = [(0, 0), (0, 0), *((0, -n % PADDING) for n in grid.image.shape)]
        both = np.stack([grid.image, grid.image[:, :, ::-1]])[:, None]
        outputs = self._backend.run(np.pad(both, pad))
        width = grid.image.shape[2]
        heat = outputs["heat"][..., :width]
        averaged = {name: values.mean(axis=0, keepdims=True) for name, values in outputs.items() if name != "heat"}
        averaged["heat"] = (heat[:1] + heat[1:, ..., ::-1]) / 2.0
        located = read_outputs(averaged, grid, self._parameters)
        inside = volume.contains(located.points_lps_mm)
        levels = located.level_log_likelihood
        return LocatedColumn(
            located.points_lps_mm[inside], located.presence[inside], None if levels is None else levels[inside]
        )


def read_outputs(
    outputs: dict[str, NDArray[np.float32]], grid: LowResGrid, parameters: LocatorParameters
) -> LocatedColumn:
    """The column in the network's outputs for one grid (batch of one; the grid may have been padded at its ends)."""
    depth, height, width = grid.image.shape
    positions = (depth + STRIDE - 1) // STRIDE
    presence = _sigmoid(outputs["presence"][0, :positions].astype(np.float64))
    chosen = _best_run(presence, parameters)
    if chosen.size == 0:
        return _empty()
    # one run without holes for the path; what is believed less within it is dropped afterwards
    run = np.arange(chosen[0], chosen[-1] + 1)
    heat = outputs["heat"][0, run, :height, :width].astype(np.float64)
    path = _smoothest_path(heat, presence[run], parameters.step_max_cells)
    yx = np.array([_local_mean(plane, cell, parameters.window_cells) for plane, cell in zip(heat, path, strict=True)])
    z = run * STRIDE + (STRIDE - 1) / 2.0
    points = grid.to_lps(np.column_stack([z, yx]))
    levels = _log_softmax(outputs["levels"][0, run].astype(np.float64) / parameters.level_temperature)
    kept = np.flatnonzero(presence[run] >= parameters.presence_min)[::-1]
    return LocatedColumn(points[kept], presence[run][kept], levels[kept])


def _best_run(presence: Float, parameters: LocatorParameters) -> NDArray[np.intp]:
    """Positions of the run that holds most presence; runs parted by no more than `gap_max` positions are one."""
    present = np.flatnonzero(presence >= parameters.presence_min)
    if present.size == 0:
        return present
    runs = np.split(present, np.flatnonzero(np.diff(present) > parameters.gap_max + 1) + 1)
    return max(runs, key=lambda run: float(presence[run].sum()))


def _smoothest_path(heat: Float, presence: Float, step_max: int) -> NDArray[np.intp]:
    """(P, Y, X) logits -> (P, 2) cells (y, x): the most probable path whose steps aside stay small (Viterbi).

    A plane counts by its presence, so that a rib or the aorta in an unclear plane does not draw the path away.
    """
    planes = len(heat)
    score = heat - heat.max(axis=(1, 2), keepdims=True)
    score -= np.log(np.exp(score).sum(axis=(1, 2), keepdims=True))
    score *= presence[:, None, None]
    reached = [score[0]]
    for plane in score[1:]:
        # the cost of a step is one of y plus one of x: the best is found along x, then along y
        reached.append(_best_within(_best_within(reached[-1], step_max, axis=1), step_max, axis=0) + plane)
    path = np.zeros((planes, 2), dtype=np.intp)
    path[-1] = np.unravel_index(int(reached[-1].argmax()), reached[-1].shape)
    for plane in range(planes - 1, 0, -1):
        path[plane - 1] = _came_from(reached[plane - 1], path[plane], step_max)
    return path


def _best_within(total: Float, step_max: int, axis: int) -> Float:
    """(Y, X) the best of `total` within `step_max` cells along an axis, less the cost of coming from there."""
    best = np.moveaxis(total.copy(), axis, 0)
    moved = np.moveaxis(total, axis, 0)
    for step in range(1, step_max + 1):
        cost = _STEP_COST * step * step
        np.maximum(best[step:], moved[:-step] - cost, out=best[step:])
        np.maximum(best[:-step], moved[step:] - cost, out=best[:-step])
    return np.moveaxis(best, 0, axis)


def _came_from(total: Float, cell: NDArray[np.intp], step_max: int) -> NDArray[np.intp]:
    """The cell of the plane before from which `cell` is best reached."""
    low = np.maximum(cell - step_max, 0)
    patch = total[low[0] : cell[0] + step_max + 1, low[1] : cell[1] + step_max + 1]
    dy, dx = (np.arange(n) + low[i] - cell[i] for i, n in enumerate(patch.shape))
    options = patch - _STEP_COST * (np.square(dy)[:, None] + np.square(dx))
    return low + np.array(np.unravel_index(int(options.argmax()), options.shape))


def _local_mean(plane: Float, cell: NDArray[np.intp], half: int) -> Float:
    """(2,) expected (y, x) of the heat map within a window around a cell."""
    low = np.maximum(cell - half, 0)
    patch = plane[low[0] : cell[0] + half + 1, low[1] : cell[1] + half + 1]
    weight = np.exp(patch - patch.max())
    weight /= weight.sum()
    rows, columns = np.arange(patch.shape[0]) + low[0], np.arange(patch.shape[1]) + low[1]
    return np.array([weight.sum(axis=1) @ rows, weight.sum(axis=0) @ columns])


def build_network(card: WeightCard) -> LocatorNet:
    """An untrained network of the card's hyperparameters."""
    fine, middle, wide = (int(w) for w in card.hyperparameters["widths"])
    return LocatorNet((fine, middle, wide), int(card.hyperparameters["head_width"]))


def load_locator(card_path: Path, device: str = "auto", threads: int | None = None) -> GridLocator:
    """The locator of a card, weights verified, on the back end chosen for this machine.

    Raises WeightsError (card, weights), SettingsError (device).
    """
    card = read_card(card_path)
    if card.preprocessing.spacing_mm != (CELL_MM,) * 3 or card.labels.get("levels") != COLUMN_CLASSES:
        raise WeightsError(f"card {card.name} is for another grid or other classes than this version's; update both")
    network = build_network(card)
    load_into(network, card, card_path)
    example = np.random.default_rng(0).uniform(0.0, 2.0, (1, 1, 32, 40, 48)).astype(np.float32)
    return GridLocator(choose_backend(network, example, device, threads), LocatorParameters(**card.decode))


def _empty() -> LocatedColumn:
    return LocatedColumn(np.zeros((0, 3)), np.zeros(0), np.zeros((0, len(COLUMN_CLASSES))))


def _sigmoid(x: Float) -> Float:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -60.0, 60.0))))


def _log_softmax(x: Float) -> Float:
    shifted = x - x.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))
