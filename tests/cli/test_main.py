"""The program: its commands, how errors leave it, and that asking for help is quick."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vfscreen.cli.main", *arguments],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", "TERMINAL_WIDTH": "100", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_version() -> None:
    found = run("--version")
    assert (found.returncode, found.stdout.strip()) == (0, f"vfscreen {version('vfscreen')}")


def test_help_lists_every_command() -> None:
    found = run("--help")
    assert found.returncode == 0
    for command in ("demo", "doctor", "index", "ledger", "query", "screen", "sweep"):
        assert command in found.stdout


@pytest.mark.parametrize("command", ["demo", "doctor", "index", "ledger", "query", "screen", "sweep"])
def test_every_command_shows_examples(command: str) -> None:
    found = run(command, "--help")
    assert found.returncode == 0
    assert "xamples" in found.stdout
    assert f"vfscreen {command}" in found.stdout


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from vfscreen.cli.main import build_app\n"
        "build_app()\n"
        "heavy = ('torch', 'prefect', 'distributed', 'openvino', 'SimpleITK', 'matplotlib')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_an_expected_error_is_a_message_and_status_1(tmp_path: Path) -> None:
    found = run("ledger", "--lake", str(tmp_path / "absent"))
    assert found.returncode == 1
    assert "Traceback" not in found.stderr
    assert found.stderr.startswith("vfscreen: ")
    assert "vfscreen index" in found.stderr, "the message names the remedy"


def test_its_traceback_can_be_asked_for(tmp_path: Path) -> None:
    found = run("ledger", "--lake", str(tmp_path / "absent"), VFSCREEN_TRACEBACK="1")
    assert found.returncode == 1
    assert "Traceback" in found.stderr


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("sweep",), ("sweep", "a", "--lake", "b", "--workers", "0"), ("ledger", "--what")]
)
def test_wrong_usage_is_status_2(arguments: tuple[str, ...]) -> None:
    found = run(*arguments)
    assert found.returncode == 2
    assert "Traceback" not in found.stderr
