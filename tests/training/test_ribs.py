"""The rib network's command line: cases come out, missing data is an error that names the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from vfscreen.training.rib_cases import load_case
from vfscreen.training.ribs import main


def test_prepare_writes_synthetic_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "--phantoms", "1", "--cases", str(tmp_path / "cases")]) == 0
    (path,) = (tmp_path / "cases").glob("*.npz")
    assert str(path) in capsys.readouterr().out
    assert load_case(path).levels[-1] == "S"


def test_a_reading_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nobody_six_points"):
        main(["evaluate", "--data", str(tmp_path), "--name", "nobody", "--device", "cpu"])
    (tmp_path / "alone_six_points.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="--volume alone=PATH"):
        main(["evaluate", "--data", str(tmp_path), "--name", "alone", "--device", "cpu"])


def test_nothing_to_measure_is_no_success() -> None:
    assert main(["evaluate", "--device", "cpu"]) == 1
