"""A run ends when it no longer learns, is worth its best weights, and remembers both over a restart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from vfscreen.training.early_stopping import EarlyStopping, chosen_checkpoint, mean_loss
from vfscreen.training.loop import LoopSettings, averaged_weights, run_training


def marked(value: float) -> torch.nn.Module:
    network = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(network.weight, value)
    return network


def watch(run: Path, measures: list[float], patience: int = 2) -> EarlyStopping:
    found = iter(measures)
    return EarlyStopping(run, patience, lambda network: next(found))


def test_the_best_weights_are_kept_and_the_end_comes_after_patience_looks(tmp_path: Path) -> None:
    stopping = watch(tmp_path, [3.0, 1.0, 2.0, 1.0])
    ends = [stopping(step, marked(step)) for step in (10, 20, 30, 40)]
    assert ends == [False, False, False, True]  # as good as the best is no better
    weights, step = averaged_weights(chosen_checkpoint(tmp_path))
    assert step == 20 and float(weights["weight"]) == 20.0


def test_a_restart_goes_on_counting(tmp_path: Path) -> None:
    first = watch(tmp_path, [1.0, 2.0])
    assert not first(10, marked(10)) and not first(20, marked(20))
    second = watch(tmp_path, [3.0])
    assert not second.finished
    assert second(30, marked(30)) and watch(tmp_path, []).finished
    assert averaged_weights(chosen_checkpoint(tmp_path))[1] == 10


def test_without_patience_it_never_ends(tmp_path: Path) -> None:
    stopping = watch(tmp_path, [1.0, 2.0, 3.0, 4.0], patience=0)
    assert not any(stopping(step, marked(step)) for step in range(4))


def test_without_a_look_the_last_weights_count(tmp_path: Path) -> None:
    assert chosen_checkpoint(tmp_path) == tmp_path / "checkpoint.pt"


@pytest.mark.parametrize("patience", [0, 2])
def test_the_loop_looks_at_the_average_and_obeys(tmp_path: Path, patience: int) -> None:
    """Learning x -> 2x with held-out data that say x -> 0: every look is worse than the first."""

    @contextmanager
    def batches(start: int) -> Iterator[Iterator[torch.Tensor]]:
        yield (torch.randn(8, 1, generator=torch.Generator().manual_seed(start)) for _ in iter(int, 1))

    def error(target: float) -> object:
        def loss(network: torch.nn.Module, batch: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
            value = ((network(batch) - target * batch) ** 2).mean()
            return value, {}

        return loss

    measure = mean_loss(error(0.0), [torch.linspace(-1, 1, 5)[:, None]])
    stopping = EarlyStopping(tmp_path, patience, measure)
    settings = LoopSettings(tmp_path, 60, learning_rate=0.05, warm_up=1, ema_decay=0.5)
    path = run_training(marked(0.0), settings, batches, error(2.0), (), {}, stopping, 10)
    assert torch.load(path, weights_only=True)["step"] == (30 if patience else 60)
    assert averaged_weights(chosen_checkpoint(tmp_path))[1] == 10
