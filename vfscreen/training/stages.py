"""The stages from data to weight cards: each one command of a network's training, done once.

Belongs here: which commands make up a network's training, and what has been done of them. Does not belong here: the
commands themselves (locator, vertebra, endplates, ribs), order over machines and reports (flows.train).

A stage leaves a receipt in WORK/stages when it is done. Its name ends in a digest of its own and all earlier commands:
a changed plan runs again what the change touches, in folders of its own, and a stopped one goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vfscreen.training import endplates, locator, ribs, vertebra
from vfscreen.training.card_start import start_card
from vfscreen.training.early_stopping import chosen_checkpoint
from vfscreen.training.plan import DataPlan, Network, NetworkPlan, TrainingPlan

COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "locator": locator.main,
    "vertebra": vertebra.main,
    "endplates": endplates.main,
    "ribs": ribs.main,
}


@dataclass(frozen=True)
class Stage:
    """One command. arguments: of COMMANDS[command]. run: its run folder, where it exports one. digest: see above."""

    network: Network
    name: str
    command: str
    arguments: tuple[str, ...]
    digest: str
    run: Path | None = None

    @property
    def key(self) -> str:
        return f"{self.network}-{self.name}-{self.digest}"


@dataclass(frozen=True)
class StageDone:
    """network, stage: which. skipped: it had been done before."""

    network: str
    stage: str
    skipped: bool


def stages(plan: TrainingPlan) -> list[Stage]:
    """All stages of a plan, in order."""
    return [stage for name, network in plan.networks.items() for stage in BUILDERS[name](plan, network)]


def run_stage(plan: TrainingPlan, stage: Stage) -> StageDone:
    """Do a stage unless its receipt lies there. Raises RuntimeError where the command fails."""
    receipt = plan.work / "stages" / f"{stage.key}.json"
    if receipt.exists():
        return StageDone(stage.network, stage.name, True)
    arguments = list(stage.arguments)
    if stage.run is not None:
        start_card(plan.networks[stage.network].card, stage.network, plan.data.description)
        arguments += ["--checkpoint", str(chosen_checkpoint(stage.run))]
    status = COMMANDS[stage.command](arguments)
    if status:
        raise RuntimeError(f"{stage.network} {stage.name}: the command failed with status {status}")
    receipt.parent.mkdir(parents=True, exist_ok=True)
    temporary = receipt.with_suffix(".part")
    temporary.write_text(json.dumps({"command": stage.command, "arguments": arguments}, indent=1), encoding="utf-8")
    temporary.replace(receipt)
    return StageDone(stage.network, stage.name, False)


class _Chain:
    """Stages of one network, each of whose digest depends on those before it."""

    def __init__(self, plan: TrainingPlan, network: Network) -> None:
        self.plan, self._network = plan, network
        self._hash = hashlib.sha256(network.encode())
        self.stages: list[Stage] = []

    def folder(self, name: str) -> Path:
        """A folder of WORK that belongs to what has been asked so far."""
        return self.plan.work / f"{name}-{self._hash.hexdigest()[:10]}"

    def add(self, name: str, command: str, arguments: Sequence[object], run: Path | None = None) -> None:
        words = tuple(str(a) for a in arguments)
        self._hash.update("\0".join((name, command, *words)).encode())
        self.stages.append(Stage(self._network, name, command, words, self._hash.hexdigest()[:10], run))

    def train_and_export(self, network: NetworkPlan, arguments: Sequence[object]) -> list[Stage]:
        run = self.folder(f"{self._network}-run")
        options: list[object] = ["--seed", self.plan.seed, "--threads", self.plan.threads, "--device", self.plan.device]
        options += [] if network.steps is None else ["--steps", network.steps]
        options += [] if network.batch is None else ["--batch", network.batch]
        self.add("train", self._network, ["train", "--run", run, *options, *arguments])
        self.add("export", self._network, ["export", "--card", network.card], run)
        return self.stages


def _locator(plan: TrainingPlan, network: NetworkPlan) -> list[Stage]:
    chain, cases = _Chain(plan, "locator"), plan.work / "locator-cases"
    names = [p.name.removesuffix("_six_points.json") for p in _found(plan.data, "*_six_points.json")]
    read = [n for n in names if n not in plan.data.exclude and list(_found(plan.data, f"{n}_3mm.nii.gz"))]
    where: list[object] = [] if plan.data.readings is None else ["--readings", plan.data.readings]
    chain.add(
        "prepare", "locator", ["prepare", *where, *_each("--name", read), *_phantoms(plan.data), "--cases", cases]
    )
    return chain.train_and_export(network, ["--cases", cases])


def _vertebra(plan: TrainingPlan, network: NetworkPlan) -> list[Stage]:
    chain = _Chain(plan, "vertebra")
    work = _spine_cases(chain)
    return chain.train_and_export(network, ["--work", work, *_weights(network)])


def _endplates(plan: TrainingPlan, network: NetworkPlan) -> list[Stage]:
    chain = _Chain(plan, "endplates")
    work = _spine_cases(chain)
    chain.add("pool", "endplates", ["pool", "--work", work, "--count", network.patches, *_weights(network)])
    stop: list[object] = ["--patience", network.patience]
    stop += ["--validate", *network.validate_on] if network.validate_on else []
    return chain.train_and_export(network, ["--work", work, *stop])


def _ribs(plan: TrainingPlan, network: NetworkPlan) -> list[Stage]:
    chain, cases = _Chain(plan, "ribs"), plan.work / "rib-cases"
    names = [p.name.removesuffix("_six_points.json") for p in _found(plan.data, "*_six_points.json")]
    read = [n for n in names if n not in plan.data.exclude]
    where: list[object] = [] if plan.data.readings is None else ["--data", plan.data.readings]
    volumes = _each("--volume", [f"{n}={p}" for n, p in plan.data.volumes.items() if n in read])
    arguments = ["prepare", *where, *_each("--name", read), *volumes, *_phantoms(plan.data), "--cases", cases]
    chain.add("prepare", "ribs", arguments)
    return chain.train_and_export(network, ["--cases", cases])


BUILDERS: dict[Network, Callable[[TrainingPlan, NetworkPlan], list[Stage]]] = {
    "locator": _locator,
    "vertebra": _vertebra,
    "endplates": _endplates,
    "ribs": _ribs,
}
"""The table: a network of another kind is one line here, one in COMMANDS and its name in plan.Network."""


def _spine_cases(chain: _Chain) -> Path:
    """Slab cases, which the vertebra and the endplate network learn from alike."""
    data = chain.plan.data
    sources: list[object] = []
    for flag, folder in (("--readings", data.readings), ("--verse", data.verse), ("--label-maps", data.label_maps)):
        sources += [] if folder is None else [flag, folder]
    sources += _each("--volume", [f"{name}={path}" for name, path in data.volumes.items()])
    sources += ["--renders", data.renders, *_phantoms(data)]
    sources += ["--exclude", *data.exclude] if data.exclude else []
    work = chain.plan.work / f"spine-{hashlib.sha256(repr(sources).encode()).hexdigest()[:10]}"
    chain.add("prepare", "vertebra", ["prepare", "--work", work, *sources])
    return work


def _found(data: DataPlan, pattern: str) -> list[Path]:
    return [] if data.readings is None else sorted(data.readings.rglob(pattern))


def _phantoms(data: DataPlan) -> list[object]:
    return ["--phantoms", data.phantoms] if data.phantoms else []


def _weights(network: NetworkPlan) -> list[object]:
    return _each("--case-weight", [f"{name}={weight}" for name, weight in network.case_weights.items()])


def _each(flag: str, values: Sequence[str]) -> list[object]:
    return [word for value in values for word in (flag, value)]
