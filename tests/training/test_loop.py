"""The shared training loop: it learns, resumes exactly where it stopped, keeps an average, and hands signals back."""

from __future__ import annotations

import csv
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from vfscreen.training.endplate_train import EndplateTrainSettings
from vfscreen.training.loop import LoopSettings, averaged_weights, run_training

STARTS: list[int] = []


@contextmanager
def batches(start: int) -> Iterator[Iterator[torch.Tensor]]:
    STARTS.append(start)
    generator = torch.Generator().manual_seed(start)
    yield (torch.randn(16, 3, generator=generator) for _ in iter(int, 1))


def loss(network: torch.nn.Module, batch: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
    error = ((network(batch)[:, 0] - batch.sum(dim=1)) ** 2).mean()
    return error, {"error": float(error.detach())}


def settings_of(run: Path, steps: int) -> LoopSettings:
    return LoopSettings(run, steps, learning_rate=0.1, weight_decay=0.0, warm_up=5, log_every=20)


def test_it_learns_and_logs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = run_training(torch.nn.Linear(3, 1), settings_of(tmp_path, 200), batches, loss, ("error",), {"note": 1})
    weights, step = averaged_weights(path)
    assert step == 200
    torch.testing.assert_close(weights["weight"], torch.ones(1, 3), atol=0.05, rtol=0)
    with (tmp_path / "log.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["step"]) for row in rows] == list(range(20, 201, 20))
    assert float(rows[-1]["error"]) < 0.1 * float(rows[0]["error"])
    assert torch.load(path, weights_only=True)["settings"] == {"note": "1"}
    assert not list(tmp_path.glob("*.part"))


def test_a_resumed_run_goes_on_and_writes_one_log(tmp_path: Path) -> None:
    STARTS.clear()
    settings = settings_of(tmp_path, 20)
    first = torch.load(run_training(torch.nn.Linear(3, 1), settings, batches, loss, ("error",), {}), weights_only=True)
    path = run_training(torch.nn.Linear(3, 1), replace(settings, steps=40), batches, loss, ("error",), {})
    second = torch.load(path, weights_only=True)
    assert STARTS == [0, 20] and (first["step"], second["step"]) == (20, 40)
    assert not torch.equal(first["network"]["weight"], second["network"]["weight"])
    assert (tmp_path / "log.csv").read_text().count("seconds_a_step") == 1
    # nothing left to do: the weights stay
    run_training(torch.nn.Linear(3, 1), replace(settings, steps=40), batches, loss, ("error",), {})
    assert torch.equal(torch.load(path, weights_only=True)["network"]["weight"], second["network"]["weight"])


def test_an_interrupt_ends_the_run_with_a_checkpoint_and_handlers_come_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    count = 0

    def interrupted(network: torch.nn.Module, batch: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
        nonlocal count
        count += 1
        if count == 3:
            signal.raise_signal(signal.SIGINT)
        return loss(network, batch)

    path = run_training(torch.nn.Linear(3, 1), settings_of(tmp_path, 1000), batches, interrupted, ("error",), {})
    assert torch.load(path, weights_only=True)["step"] == 3
    assert signal.getsignal(signal.SIGINT) is before


def test_a_networks_settings_become_the_loops() -> None:
    settings = EndplateTrainSettings(Path("pool"), Path("run"), steps=40, learning_rate=0.3, seed=7, device="cuda")
    stated = {"run": Path("run"), "steps": 40, "learning_rate": 0.3, "seed": 7, "threads": 1, "device": "cuda"}
    assert LoopSettings.of(settings, log_every=3) == LoopSettings(**stated, log_every=3)
    short = LoopSettings(**stated, weight_decay=0.05, warm_up=5, ema_decay=0.99, log_every=25)
    assert LoopSettings.short(settings, log_every=25) == short
    assert LoopSettings.short(replace(settings, steps=5000), log_every=25).warm_up == 100
