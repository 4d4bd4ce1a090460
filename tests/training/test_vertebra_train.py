"""Training runs, learns, resumes where it stopped, and ends when asked."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training import columns
from vfscreen.models.networks2d import VertebraNet
from vfscreen.training.loop import averaged_weights
from vfscreen.training.slab_cases import make_case, save_case
from vfscreen.training.vertebra_train import TrainSettings, train


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work") / "cases"
    folder.mkdir()
    case = make_case("c", columns.ct(), columns.centreline(), columns.vertebrae(), True, True, [0, 0, 0, 0])
    save_case(case, folder / "c.npz")
    return folder


def test_a_run_stops_resumes_and_moves_the_weights(cases: Path, tmp_path: Path) -> None:
    settings = TrainSettings(cases=cases, run=tmp_path / "run", steps=2, batch=2, warm_up=1)
    checkpoint = train(settings)
    first = torch.load(checkpoint, weights_only=True)
    assert first["step"] == 2
    train(replace(settings, steps=4))
    second = torch.load(checkpoint, weights_only=True)
    assert second["step"] == 4
    assert any(not torch.equal(first["network"][k], second["network"][k]) for k in first["network"])
    network = VertebraNet()
    network.load_state_dict(averaged_weights(checkpoint)[0], strict=True)


def test_without_cases_the_trainer_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="prepare"):
        train(TrainSettings(cases=tmp_path, run=tmp_path / "run", steps=1, batch=1))


def test_sigterm_leaves_a_checkpoint_and_no_worker(cases: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "vfscreen.training.vertebra", "train", "--work", str(cases.parent)]
    process = subprocess.Popen([*command, "--run", str(run), "--steps", "100000", "--batch", "2"])
    deadline = time.monotonic() + 200
    log = run / "log.csv"
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.5)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while children.exists() and len(children.read_text().split()) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    workers = [int(n) for n in children.read_text().split()] if children.exists() else []
    time.sleep(1.0)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=200) == 0
    assert int(torch.load(run / "checkpoint.pt", weights_only=True)["step"]) >= 0
    for worker in workers:
        for _ in range(100):
            if not _alive(worker):
                break
            time.sleep(0.1)
        assert not _alive(worker)
    with log.open() as stream:
        assert next(csv.reader(stream))[0] == "step"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[-1].split()[0]
