"""Releases: complete or refused, named by content."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from vfscreen.errors import WeightsError
from vfscreen.models.registry import WEIGHTS_DIR, load_models, read_release, release_cards, release_name
from vfscreen.settings import ScreeningSettings


@pytest.fixture
def own_release(tmp_path: Path) -> Path:
    for path in WEIGHTS_DIR.iterdir():
        shutil.copy(path, tmp_path / path.name)
    default = yaml.safe_load((WEIGHTS_DIR / "releases.yaml").read_text())["default"]
    (tmp_path / "ours.yaml").write_text(yaml.safe_dump({"ours": default}))
    return tmp_path / "ours.yaml"


def test_the_name_tells_weights_apart(own_release: Path) -> None:
    before = release_name(str(own_release))
    assert before.startswith("ours-")
    assert before == release_name(str(own_release))
    card_path = release_cards(str(own_release))["vertebra"]
    card = yaml.safe_load(card_path.read_text())
    card_path.write_text(yaml.safe_dump(card | {"description": "other words"}))
    assert release_name(str(own_release)) == before, "words change no result"
    card_path.write_text(yaml.safe_dump(card | {"sha256": "0" * 64}))
    assert release_name(str(own_release)) != before


def test_settings_of_the_chain_are_part_of_the_name() -> None:
    plain = release_name("default", ScreeningSettings())
    assert plain != release_name("default", ScreeningSettings(detection_threshold=0.6))
    assert plain == release_name("default", ScreeningSettings())


def test_unknown_and_incomplete_releases_are_refused(own_release: Path) -> None:
    with pytest.raises(WeightsError, match="known releases: default"):
        release_cards("nightly")
    own_release.write_text(yaml.safe_dump({"ours": {"vertebra": "vertebra-v1"}}))
    with pytest.raises(WeightsError, match="card for each"):
        release_cards(str(own_release))


def test_a_card_in_the_wrong_place_is_refused(own_release: Path) -> None:
    own_release.write_text(yaml.safe_dump({"ours": {"vertebra": "vertebra-v1", "locator": "vertebra-v1"}}))
    with pytest.raises(WeightsError, match="kind vertebra, not locator"):
        read_release(str(own_release))


def test_naming_a_release_does_not_load_torch() -> None:
    code = (
        "import sys; from vfscreen.models.registry import release_name; release_name(); print('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_the_default_release_loads_whole() -> None:
    models = load_models("default", device="cpu")
    assert models.release == release_name("default")
    assert models.detector.slab_spec.plane_offsets_mm[len(models.detector.slab_spec.plane_offsets_mm) // 2] == 0.0
