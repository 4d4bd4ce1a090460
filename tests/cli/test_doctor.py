"""The doctor finds what is broken, says what to do, and leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vfscreen.cli import doctor
from vfscreen.cli.doctor import Check, examine, run_checks
from vfscreen.cli.main import build_app


def named(found: list[Check], name: str) -> Check:
    return next(check for check in found if check.name == name)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> list[Check]:
    """Findings about this installation with a new lake and an archive of one file."""
    folder = tmp_path_factory.mktemp("doctor")
    archive = folder / "archive"
    archive.mkdir()
    archive.joinpath("a.dcm").write_bytes(b"\0" * 200)
    found = examine(str(folder / "deep" / "lake"), str(archive))
    assert not folder.joinpath("deep").exists(), "the doctor made folders and left them"
    return found


def test_this_installation_is_whole(healthy: list[Check]) -> None:
    assert [check for check in healthy if not check.ok] == []


def test_every_part_is_looked_at(healthy: list[Check]) -> None:
    names = " ".join(check.name for check in healthy)
    for part in ("python", "torch", "prefect", "JPEG-LS", "RLE", "weights locator", "weights vertebra", "identity key",
                 "lake", "lake space", "archive"):  # fmt: skip
        assert part in names


def test_a_lake_that_cannot_be_written_is_found(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    check = named(run_checks([("lake", lambda: doctor.check_lake(str(blocked / "lake")))]), "lake")
    assert not check.ok
    assert check.remedy


def test_an_absent_or_empty_archive_is_found(tmp_path: Path) -> None:
    for folder in (tmp_path / "absent", tmp_path):
        check = named(run_checks([("archive", lambda folder=folder: doctor.check_archive(str(folder)))]), "archive")
        assert not check.ok


def test_altered_weights_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from vfscreen.models import registry

    for path in registry.WEIGHTS_DIR.iterdir():
        tmp_path.joinpath(path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(registry, "WEIGHTS_DIR", tmp_path)
    assert all(check.ok for check in run_checks([("weights", doctor.check_weights)]))
    victim = registry.release_cards()["locator"].with_suffix(".safetensors")
    with victim.open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    assert not named(run_checks([("weights", doctor.check_weights)]), "weights locator").ok
    victim.unlink()
    assert "missing" in named(run_checks([("weights", doctor.check_weights)]), "weights locator").detail


def test_a_weak_identity_key_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VFSCREEN_IDENTITY_KEY", "short")
    check = named(run_checks([("identity key", lambda: doctor.check_identity(None))]), "identity key")
    assert not check.ok
    assert "short" not in check.detail, "the key itself is never shown"


def test_a_full_disk_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        found = run_checks([("lake", lambda: doctor.check_lake(str(folder / "lake")))])
        assert named(found, "lake").ok
        assert not named(found, "lake space").ok
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_the_command_reports_json_and_a_status(tmp_path: Path) -> None:
    result = CliRunner().invoke(build_app(), ["doctor", "--json", "--archive", str(tmp_path / "absent")])
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["ok"] is False
    assert [c["name"] for c in report["checks"] if not c["ok"]] == ["archive"]
