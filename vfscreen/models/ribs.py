"""The rib reader: cuts a wide patch around each vertebra, runs the network, calibrates what it says.

Belongs here: preprocessing and decoding of `RibNet`, loading it from a card. Does not belong here: the network
(rib_network), what a rib means for a level (spine.labelling).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit, log_softmax

from vfscreen.errors import WeightsError
from vfscreen.geometry.volume import AIR_HU
from vfscreen.models.backends import Backend, choose_backend
from vfscreen.models.cards import IntensityWindow, WeightCard, load_into, read_card
from vfscreen.models.rib_network import PATCH_ROWS, RibNet
from vfscreen.models.vertebra import window_hu
from vfscreen.spine.landmarks import RibReading
from vfscreen.spine.priors import VERTEBRA_KINDS
from vfscreen.spine.straighten import SlabSpec

Float = NDArray[np.float64]


@dataclass(frozen=True)
class RibDecode:
    """Numbers of a card's `decode`: what divides the logits (calibration; fitted on volumes the network never saw)."""

    kind_temperature: float = 1.0
    sacrum_temperature: float = 1.0


class SlabRibReader:
    """`ports.RibReader` on `RibNet`."""

    def __init__(self, backend: Backend, spec: SlabSpec, window: IntensityWindow, decode: RibDecode) -> None:
        self._backend = backend
        self._spec = spec
        self._window = window
        self._decode = decode

    @property
    def slab_spec(self) -> SlabSpec:
        return self._spec

    def read(self, hu: NDArray[np.float32], centre_rows: Float) -> RibReading:
        """See `RibReader.read`. Raises ValueError for another number of planes or columns than `slab_spec` says."""
        expected = (len(self._spec.plane_offsets_mm), self._spec.columns)
        if hu.ndim != 3 or (hu.shape[0], hu.shape[2]) != expected:
            raise ValueError(f"slab of shape {hu.shape} does not have {expected[0]} planes and {expected[1]} columns")
        rows = np.asarray(centre_rows, dtype=np.float64).reshape(-1)
        if not rows.size:
            return RibReading(np.zeros((0, len(VERTEBRA_KINDS))), np.zeros((0, 2)))
        outputs = self._backend.run(window_hu(cut_patches(hu, rows), self._window)[:, None])
        kind = outputs["kind"].astype(np.float64) / self._decode.kind_temperature
        sacrum = outputs["sacrum_below"][:, 0].astype(np.float64) / self._decode.sacrum_temperature
        return RibReading(
            np.asarray(log_softmax(kind, axis=1)), np.stack([log_expit(-sacrum), log_expit(sacrum)], axis=1)
        )


def cut_patches(hu: NDArray[np.float32], centre_rows: Float) -> NDArray[np.float32]:
    """(planes, rows, columns), (n,) -> (n, planes, PATCH_ROWS, columns) about the nearest row edge; air beyond."""
    half = PATCH_ROWS // 2
    first = np.clip(np.rint(np.asarray(centre_rows) + 0.5).astype(int), 0, hu.shape[1])
    padded = np.pad(hu, ((0, 0), (half, half), (0, 0)), constant_values=AIR_HU)
    return np.stack([padded[:, f : f + PATCH_ROWS] for f in first])


def build_network(card: WeightCard) -> RibNet:
    """An untrained network of the card's hyperparameters."""
    h = card.hyperparameters
    fine, middle, wide = (int(w) for w in h["widths"])
    return RibNet(int(h["planes"]), int(h["rows"]), int(h["columns"]), (fine, middle, wide), int(h["head_width"]))


def load_rib_reader(card_path: Path, device: str = "auto", threads: int | None = None) -> SlabRibReader:
    """The reader of a card, weights verified, on the back end chosen for this machine.

    Raises WeightsError (card, weights), SettingsError (device).
    """
    card = read_card(card_path)
    slab = card.preprocessing.slab
    if slab is None:
        raise WeightsError(f"card {card.name} describes no slab; it is not one of a rib network")
    if card.labels.get("kinds") != VERTEBRA_KINDS or card.hyperparameters.get("rows") != PATCH_ROWS:
        raise WeightsError(f"card {card.name} is for other kinds or patches than this version's; update both")
    network = build_network(card)
    load_into(network, card, card_path)
    shape = (2, 1, network.planes, network.rows, network.columns)
    example = np.random.default_rng(0).uniform(0.0, 2.0, shape).astype(np.float32)
    backend = choose_backend(network, example, device, threads)
    return SlabRibReader(backend, slab.spec(), card.preprocessing.hu_window(), RibDecode(**card.decode))
