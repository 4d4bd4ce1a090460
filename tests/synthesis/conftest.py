"""A small demo archive that the tests of this folder share: the whole cast, coarse pixels."""

from __future__ import annotations

from pathlib import Path

import pytest

from vfscreen.synthesis.demo_archive import write_demo_archive
from vfscreen.synthesis.truth import DemoTruth

PIXEL_FACTOR = 5.0


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DemoTruth]:
    """Folder (with archive/ and truth.json) and truth."""
    out = tmp_path_factory.mktemp("demo")
    return out, write_demo_archive(out, seed=3, patients=6, pixel_factor=PIXEL_FACTOR, workers=2)
