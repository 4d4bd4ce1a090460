"""Settings: a file, the environment above it, the caller above both; every mistake named."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vfscreen.errors import SettingsError
from vfscreen.settings import Settings, load_settings

DEFAULT_FILE = Path(__file__).parents[1] / "deployments" / "settings" / "default.yaml"


def write(folder: Path, text: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(text)
    return path


def test_the_environment_stands_above_the_file_and_the_caller_above_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "sweep: {shard_studies: 5, worker_attempts: 2, prefetch_series: 0}")
    monkeypatch.setenv("VFSCREEN_SWEEP__WORKER_ATTEMPTS", "4")
    monkeypatch.setenv("VFSCREEN_SWEEP__PREFETCH_SERIES", "3")
    sweep = load_settings(path, sweep={"prefetch_series": 8}).sweep
    assert (sweep.shard_studies, sweep.worker_attempts, sweep.prefetch_series) == (5, 4, 8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sweep: {shards: 5}", r"sweep\.shards"),
        ("sweep: {shard_studies: 0}", r"sweep\.shard_studies"),
        ("accept: {orientations: [diagonal]}", r"accept\.orientations"),
        ("[1, 2]", "must hold sections"),
        ("sweep: {", "cannot be read"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(write(tmp_path, text))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path / "absent.yaml")


def test_an_environment_that_cannot_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VFSCREEN_SWEEP", "not json")
    with pytest.raises(SettingsError, match="environment"):
        load_settings()


def test_the_default_file_shows_every_setting_with_its_default() -> None:
    assert load_settings(DEFAULT_FILE) == Settings()
    assert yaml.safe_load(DEFAULT_FILE.read_text()) == Settings().model_dump(mode="json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{osteoporosis_max_hu: 170}", "low_max_hu must lie above"),
        ("{corrections: {kvp_reference_kV: 80}}", "must lie within kvp_means"),
        ("{corrections: {kvp_means: [{kvp_kV: 140, mean_hu: 1}, {kvp_kV: 100, mean_hu: 2}]}}", "must ascend"),
        ("{fallback_levels: [[L9]]}", "no vertebra level"),
        ("{contrast: {phases: [{phase: venous, aorta_hu: [1, 1], kidney_hu: [1, 1]}]}}", r"phases\.0\.phase"),
        ("{calibration: {tissues: [{tissue: fat, density_mg_cm3: [-80, 0]}]}}", "density_mg_cm3"),
    ],
)
def test_density_settings_that_contradict_themselves_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(write(tmp_path, f"screening: {{density: {text}}}"))
