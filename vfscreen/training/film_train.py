"""Train the film networks: one process exposes and cuts samples, this one learns.

Belongs here: settings of a run, batches, the two networks' runs. Does not belong here: samples, losses, the loop and
its files (loop), the processes (drawing), measuring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vfscreen.models.cards import load_tensors, read_card
from vfscreen.models.networks2d import STRIDE, EndplateNet, FilmLocatorNet, VertebraNet
from vfscreen.spine.film_patches import FilmPatchSpec
from vfscreen.spine.film_strip import StripSpec
from vfscreen.training.drawing import drawn_batches
from vfscreen.training.endplate_losses import PatchBatch, endplate_loss
from vfscreen.training.film_cases import FilmCase, load_case
from vfscreen.training.film_locator_samples import SHAPES, draw_film_locator_sample
from vfscreen.training.film_losses import FilmLocatorBatch, film_locator_loss
from vfscreen.training.film_patch_samples import FilmPatchSample, draw_patch_samples
from vfscreen.training.film_strip_samples import draw_strip_sample
from vfscreen.training.loop import LoopSettings, run_training
from vfscreen.training.vertebra_losses import Batch, vertebra_loss

VERTEBRA_PARTS = ("centre", "offsets", "levels", "fracture", "points", "distance")
LOCATOR_PARTS = ("line", "height", "facing")
ENDPLATE_PARTS = ("corners", "plates")
EXPOSURES_MAX = 20
"""For each patch wanted: some exposures hide every vertebra under metal or marks, but not all."""
USES = 6
"""Samples drawn of a case before another is read from disk."""
AT_HAND = 12
"""Cases held in memory; a batch mixes them."""


@dataclass(frozen=True)
class FilmTrainSettings:
    """One run. pools: folders of lateral cases; files that appear while training runs are taken up.
    source_weights: chance of the cases of a source, by the beginning of its name with or without its kind, 1 where none
    fits; a beginning that fits no source of the pools is an error."""

    pools: tuple[Path, ...]
    run: Path
    steps: int
    batch: int
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.02
    warm_up: int = 60
    ema_decay: float = 0.995
    seed: int = 0
    workers: int = 1
    threads: int = 1
    device: str = "cpu"
    checkpoint_seconds: float = 120.0
    source_weights: tuple[tuple[str, float], ...] = ()


def train_film_vertebra(settings: FilmTrainSettings, start_from: Path | None = None) -> Path:
    """Run (or resume) the vertebra network; returns the checkpoint's path. start_from: card of a CT vertebra network
    whose weights a fresh run begins with. Raises FileNotFoundError where there are no cases."""
    return _train(
        _begun(VertebraNet(planes=1), start_from), settings, draw_vertebra_batch, _vertebra_step, VERTEBRA_PARTS
    )


def train_film_locator(settings: FilmTrainSettings) -> Path:
    """Run (or resume) the locator; returns the checkpoint's path. Raises FileNotFoundError where there are no cases."""
    return _train(FilmLocatorNet(), settings, draw_locator_batch, _locator_step, LOCATOR_PARTS)


def train_film_endplates(settings: FilmTrainSettings, start_from: Path | None = None) -> Path:
    """Run (or resume) the endplate network; returns the checkpoint's path. start_from: card of a CT endplate network
    whose weights a fresh run begins with. Raises FileNotFoundError where there are no cases."""
    return _train(
        _begun(EndplateNet(planes=1), start_from), settings, draw_endplate_batch, _endplate_step, ENDPLATE_PARTS
    )


def _begun(network: torch.nn.Module, start_from: Path | None) -> torch.nn.Module:
    if start_from is not None:
        card = read_card(start_from)
        network.load_state_dict(one_plane(load_tensors(card, start_from), int(card.hyperparameters["planes"])))
    return network


def one_plane(weights: dict[str, Tensor], planes: int) -> dict[str, Tensor]:
    """Weights of a network of parallel planes for one of a single plane: as if all planes showed the same image."""
    first = weights["stem.1.0.weight"]
    halves = planes // 2
    # channels come as the middle plane, the pairs' means, their differences, each as STRIDE^2 pixels
    by_plane = first.reshape(first.shape[0], planes, STRIDE**2, *first.shape[2:])
    return weights | {"stem.1.0.weight": by_plane[:, : halves + 1].sum(dim=1)}


def _train(
    network: torch.nn.Module,
    settings: FilmTrainSettings,
    draw: Callable[[list[FilmCase], int, np.random.Generator], dict[str, Any]],
    step: Callable[[torch.nn.Module, dict[str, Tensor]], tuple[Tensor, dict[str, float]]],
    parts: tuple[str, ...],
) -> Path:
    if not (names := _sources(settings)):
        raise FileNotFoundError(f"no lateral film cases in {[str(p) for p in settings.pools]}: run `pool` first")
    if unknown := [prefix for prefix, _ in settings.source_weights if not any(_fits(n, prefix) for n in names)]:
        raise ValueError(f"no source begins with {', '.join(unknown)}; there are: {', '.join(sorted(names))}")
    device = torch.device(settings.device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs do not know it

    @contextmanager
    def batches(start: int) -> Iterator[Iterator[dict[str, Tensor]]]:
        with drawn_batches(partial(_batches, settings, draw, start), settings.workers) as drawn:
            yield ({name: torch.from_numpy(v).to(device) for name, v in batch.items()} for batch in drawn)

    return run_training(network, LoopSettings.of(settings, log_every=20), batches, step, parts, asdict(settings))


def _run(network: torch.nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """The batch's image (n, 1, H, W) and what the network says of it, under bf16 autocast."""
    image = batch["image"][:, None].contiguous(memory_format=torch.channels_last)
    with torch.autocast(image.device.type, dtype=torch.bfloat16):
        return image, network(image)


def _vertebra_step(network: torch.nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
    image, outputs = _run(network, batch)
    names = ("points", "weight", "level", "fracture", "judged")
    return vertebra_loss(outputs, Batch(image, *(batch[name] for name in names)))


def _locator_step(network: torch.nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
    image, outputs = _run(network, batch)
    names = ("line", "height", "judged", "facing")
    return film_locator_loss(outputs, FilmLocatorBatch(image, *(batch[name] for name in names)))


def _endplate_step(network: torch.nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
    image, outputs = _run(network, batch)
    return endplate_loss(outputs, PatchBatch(image, *(batch[name] for name in ("corners", "plates", "weight"))))


def draw_endplate_batch(cases: list[FilmCase], count: int, rng: np.random.Generator) -> dict[str, Any]:
    """A batch of patches of cases drawn from those at hand. Raises ValueError where they show no vertebra whole."""
    samples: list[FilmPatchSample] = []
    for _ in range(EXPOSURES_MAX * count):
        samples += draw_patch_samples(cases[int(rng.integers(len(cases)))], FilmPatchSpec(), rng)
        if len(samples) >= count:
            return _stacked(samples[:count])
    raise ValueError(f"cases at hand show no vertebra whole: {', '.join(sorted({case.name for case in cases}))}")


def draw_vertebra_batch(cases: list[FilmCase], count: int, rng: np.random.Generator) -> dict[str, Any]:
    """A batch of strip windows of cases drawn from those at hand."""
    spec = StripSpec()
    return _stacked([draw_strip_sample(cases[int(rng.integers(len(cases)))], spec, rng) for _ in range(count)])


def draw_locator_batch(cases: list[FilmCase], count: int, rng: np.random.Generator) -> dict[str, Any]:
    """A batch of film windows of one shape, of cases drawn from those at hand."""
    shape = SHAPES[int(rng.integers(len(SHAPES)))]
    return _stacked([draw_film_locator_sample(cases[int(rng.integers(len(cases)))], shape, rng) for _ in range(count)])


def _stacked(samples: list[Any]) -> dict[str, Any]:
    return {f.name: np.stack([getattr(s, f.name) for s in samples]) for f in fields(samples[0])}


def _batches(
    settings: FilmTrainSettings,
    draw: Callable[[list[FilmCase], int, np.random.Generator], dict[str, Any]],
    start: int,
    number: int,
) -> Iterator[dict[str, Any]]:
    """Batches of one worker. The pool is listed again as cases are exchanged: it may grow while training runs."""
    rng = np.random.default_rng([settings.seed, start, number])
    cases = [_read(settings, rng) for _ in range(AT_HAND)]
    drawn = 0
    while True:
        yield draw(cases, settings.batch, rng)
        drawn += settings.batch
        while drawn >= USES:
            drawn -= USES
            cases[int(rng.integers(AT_HAND))] = _read(settings, rng)


def _read(settings: FilmTrainSettings, rng: np.random.Generator) -> FilmCase:
    """A lateral case: first a source by its weight, then one of its cases."""
    sources = _sources(settings)
    names = sorted(sources)
    chances = np.array([_weight(name, settings.source_weights) for name in names])
    chosen = sources[names[int(rng.choice(len(names), p=chances / chances.sum()))]]
    for _ in range(20):
        case = load_case(chosen[int(rng.integers(len(chosen)))])
        if len(case.points) >= 2:
            return case
    raise ValueError(f"cases of {case.source} show fewer than two vertebrae")


def _sources(settings: FilmTrainSettings) -> dict[str, list[Path]]:
    """The lateral cases of the pools by KIND-SOURCE of their names."""
    sources: dict[str, list[Path]] = {}
    for path in sorted(path for pool in settings.pools for path in pool.glob("lateral-*.npz")):
        sources.setdefault(path.stem.rsplit("-", 2)[0].removeprefix("lateral-"), []).append(path)
    return sources


def _weight(name: str, weights: tuple[tuple[str, float], ...]) -> float:
    """Of the longest beginning that fits KIND-SOURCE or SOURCE alone."""
    fitting = [(len(prefix), weight) for prefix, weight in weights if _fits(name, prefix)]
    return max(fitting)[1] if fitting else 1.0


def _fits(name: str, prefix: str) -> bool:
    return name.startswith(prefix) or name.partition("-")[2].startswith(prefix)
