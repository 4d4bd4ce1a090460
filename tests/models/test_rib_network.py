"""The rib network does not know left from right, and is small."""

from __future__ import annotations

import torch

from vfscreen.models.rib_network import PATCH_ROWS, RibNet
from vfscreen.spine.priors import VERTEBRA_KINDS


def test_a_mirrored_patient_reads_alike() -> None:
    torch.manual_seed(0)
    network = RibNet().eval()
    image = torch.rand(3, 1, network.planes, network.rows, network.columns)
    with torch.inference_mode():
        plain, mirrored = network(image), network(image.flip(2))
    assert plain["kind"].shape == (3, len(VERTEBRA_KINDS))
    assert plain["sacrum_below"].shape == (3, 1)
    for name in plain:
        torch.testing.assert_close(mirrored[name], plain[name])
    assert not torch.allclose(plain["kind"][0], plain["kind"][1])


def test_patches_of_another_size_have_their_own_head() -> None:
    network = RibNet(planes=32, columns=20, widths=(4, 6, 8), head_width=10).eval()
    with torch.inference_mode():
        assert network(torch.rand(2, 1, 32, PATCH_ROWS, 20))["kind"].shape == (2, len(VERTEBRA_KINDS))


def test_it_is_small() -> None:
    assert sum(p.numel() for p in RibNet().parameters()) * 2 < 1_000_000
