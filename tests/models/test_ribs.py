"""The rib reader cuts patches where the vertebrae are, says log-likelihoods, and its shipped weights know ribs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from vfscreen.errors import WeightsError
from vfscreen.geometry.volume import AIR_HU
from vfscreen.models.cards import IntensityWindow, read_card
from vfscreen.models.registry import WEIGHTS_DIR
from vfscreen.models.rib_network import PATCH_ROWS
from vfscreen.models.ribs import RibDecode, SlabRibReader, cut_patches, load_rib_reader
from vfscreen.spine.priors import VERTEBRA_KINDS
from vfscreen.spine.straighten import SlabSpec

CARD = WEIGHTS_DIR / "ribs-v1.yaml"
SPEC = SlabSpec(3.0, 30.0, 54.0, 42.0, (-1.5, 1.5))


class Echo:
    """A back end that says of each patch the mean of its middle rows, as the logit of the first kind."""

    name = "echo"

    def run(self, image: np.ndarray) -> dict[str, np.ndarray]:
        middle = image[:, 0, :, PATCH_ROWS // 2 - 1 : PATCH_ROWS // 2 + 1].mean(axis=(1, 2, 3))
        kind = np.zeros((len(image), len(VERTEBRA_KINDS)), dtype=np.float32)
        kind[:, 0] = middle
        return {"kind": kind, "sacrum_below": middle[:, None]}


def reader(decode: RibDecode | None = None) -> SlabRibReader:
    window = IntensityWindow(lower_hu=-1000.0, upper_hu=1000.0, centre_hu=0.0, scale_hu=1.0)
    return SlabRibReader(Echo(), SPEC, window, decode or RibDecode())


def test_patches_are_centred_and_padded_with_air() -> None:
    hu = np.broadcast_to(np.arange(60, dtype=np.float32)[None, :, None], (2, 60, SPEC.columns)).copy()
    patches = cut_patches(hu, np.array([29.5, 0.2, 59.0]))
    assert patches.shape == (3, 2, PATCH_ROWS, SPEC.columns)
    half = PATCH_ROWS // 2
    assert patches[0, 0, half - 1 : half + 1, 0].tolist() == [29.0, 30.0]
    assert (patches[1, :, : half - 1] == AIR_HU).all() and patches[1, 0, half, 0] == 1.0
    assert (patches[2, :, half + 1 :] == AIR_HU).all()


def test_reading_is_of_the_vertebra_and_tempered() -> None:
    hu = np.zeros((2, 60, SPEC.columns), dtype=np.float32)
    hu[:, 29:31] = 4.0
    reading = reader().read(hu, np.array([29.5, 10.0]))
    assert np.exp(reading.kind_log_likelihood).sum(axis=1) == pytest.approx([1.0, 1.0])
    assert reading.kind_log_likelihood[0, 0] - reading.kind_log_likelihood[0, 1] == pytest.approx(4.0)
    assert np.exp(reading.sacrum_below_log_likelihood).sum(axis=1) == pytest.approx([1.0, 1.0])
    assert reading.sacrum_below_log_likelihood[0] @ [-1.0, 1.0] == pytest.approx(4.0)
    cooler = reader(RibDecode(kind_temperature=2.0, sacrum_temperature=4.0)).read(hu, np.array([29.5]))
    assert cooler.kind_log_likelihood[0, 0] - cooler.kind_log_likelihood[0, 1] == pytest.approx(2.0)
    assert cooler.sacrum_below_log_likelihood[0] @ [-1.0, 1.0] == pytest.approx(1.0)


def test_no_vertebra_no_reading_and_another_slab_is_refused() -> None:
    empty = reader().read(np.zeros((2, 60, SPEC.columns), dtype=np.float32), np.zeros(0))
    assert empty.kind_log_likelihood.shape == (0, len(VERTEBRA_KINDS))
    assert empty.sacrum_below_log_likelihood.shape == (0, 2)
    with pytest.raises(ValueError, match="2 planes"):
        reader().read(np.zeros((3, 60, SPEC.columns), dtype=np.float32), np.array([20.0]))


def test_shipped_weights_load_and_do_not_know_left_from_right() -> None:
    assert CARD.with_suffix(".safetensors").stat().st_size <= 1_000_000
    shipped = load_rib_reader(CARD, device="cpu")
    spec = shipped.slab_spec
    rng = np.random.default_rng(0)
    hu = rng.normal(100, 200, (len(spec.plane_offsets_mm), 60, spec.columns)).astype(np.float32)
    rows = np.array([15.0, 30.0, 44.0])
    plain, mirrored = shipped.read(hu, rows), shipped.read(hu[::-1].copy(), rows)
    assert spec.plane_offsets_mm == pytest.approx([-v for v in reversed(spec.plane_offsets_mm)])
    np.testing.assert_allclose(plain.kind_log_likelihood, mirrored.kind_log_likelihood, atol=1e-4)


def test_a_card_of_other_kinds_is_refused(tmp_path: Path) -> None:
    shutil.copy(CARD.with_suffix(".safetensors"), tmp_path / "ribs-v1.safetensors")
    card = yaml.safe_load(CARD.read_text(encoding="utf-8"))
    for change, message in (({"labels": {"kinds": ["rib"]}}, "other kinds"), ({"preprocessing": None}, "slab")):
        changed = card | change
        if change.get("preprocessing", 0) is None:
            changed = card | {"preprocessing": card["preprocessing"] | {"slab": None}}
        path = tmp_path / "ribs-v1.yaml"
        path.write_text(yaml.safe_dump(changed), encoding="utf-8")
        with pytest.raises(WeightsError, match=message):
            load_rib_reader(path, device="cpu")
    assert read_card(CARD).kind == "ribs"
