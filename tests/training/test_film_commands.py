"""The films' command line: it measures a release's cards, calibrates one, and says what it had nothing to work on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.training.film_bars import bar_case
from vfscreen.models.cards import read_card
from vfscreen.models.registry import WEIGHTS_DIR
from vfscreen.training.film_cases import save_case
from vfscreen.training.films import main


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    folder = tmp_path / "pool"
    folder.mkdir()
    for source in ("bars", "other"):
        save_case(bar_case(f"lateral-reading-{source}-s0-f0-0"), folder)
    return folder


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A detector's card of one's own, to be written to."""
    for suffix in (".yaml", ".safetensors"):
        shutil.copy(WEIGHTS_DIR / f"film-vertebra-v1{suffix}", tmp_path / f"ours{suffix}")
    return tmp_path / "ours.yaml"


def test_numbers_go_onto_the_card_with_their_command(
    pool: Path, card: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "evaluate",
        "--pool",
        str(pool),
        "--vertebra",
        str(card),
        "--device",
        "cpu",
        "--threads",
        "1",
        "--record",
    ]
    assert main(command) == 0
    assert "vertebrae found (recall)" in capsys.readouterr().out
    recorded = [m for m in read_card(card).metrics if m.data == "projections of unseen bodies"]
    assert {m.command for m in recorded} == {"python -m vfscreen.training.films evaluate --pool EVAL --looks 1"}


def test_a_calibration_is_fitted_on_the_bodies_named_and_put_on_the_card(
    pool: Path, card: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = yaml.safe_load(card.read_text())["decode"]
    assert "grade_offset" not in before
    options = ["--pool", str(pool), "--vertebra", str(card), "--device", "cpu", "--threads", "1"]
    assert main(["calibrate", *options, "--only", "bars", "--looks", "2"]) == 0
    assert "of 2 films" in capsys.readouterr().out
    decode = read_card(card).decode
    assert len(decode["grade_offset"]) == len(decode["grade_slope"]) == 3
    with pytest.raises(FileNotFoundError, match="no lateral case of nobody"):
        main(["calibrate", *options, "--only", "nobody"])
