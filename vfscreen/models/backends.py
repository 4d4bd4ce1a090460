"""Inference back ends: run a torch module with torch (CPU or CUDA) or OpenVINO, chosen at load, checked for parity.

Belongs here: devices, conversion, threads, the parity check. Does not belong here: what goes into a network or what
its outputs mean (adaptors).

A module handed in here maps one float32 tensor (N, C, ...) to a dict of tensors. Spatial sizes may differ from call to
call; the adaptor pads them to what its network can take.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from vfscreen.errors import SettingsError

Array = NDArray[np.float32]

PARITY_TOLERANCE = 1e-3
"""Largest difference between two back ends on one output, relative to that output's largest absolute value."""

DEVICES = ("auto", "cpu", "cuda", "openvino")

_log = logging.getLogger(__name__)


class Backend(Protocol):
    """Runs one network."""

    @property
    def name(self) -> str: ...

    def run(self, image: Array) -> dict[str, Array]:
        """image: float32 (N, C, ...) -> every named output as float32."""
        ...


class TorchBackend:
    """The module itself. `device`: `cpu` or `cuda`."""

    def __init__(self, module: torch.nn.Module, device: str = "cpu") -> None:
        self._device = torch.device(device)
        self._module = module.eval().to(self._device)

    @property
    def name(self) -> str:
        return f"torch-{self._device.type}"

    def run(self, image: Array) -> dict[str, Array]:
        with torch.inference_mode():
            outputs = self._module(torch.from_numpy(np.ascontiguousarray(image)).to(self._device))
        return {name: tensor.float().cpu().numpy() for name, tensor in outputs.items()}


class OpenVinoBackend:
    """The module converted in memory. fp32 on purpose: grades must not depend on the processor's bf16 support."""

    def __init__(self, module: torch.nn.Module, example: Array, threads: int | None = None) -> None:
        module = module.eval().cpu()
        tensor = torch.from_numpy(example)
        with torch.inference_mode(), _no_telemetry():
            import openvino

            self._names = list(module(tensor).keys())
            model = openvino.convert_model(_Flat(module), example_input=tensor)
        shape = openvino.PartialShape([-1, example.shape[1], *([-1] * (example.ndim - 2))])
        model.reshape({model.input(0): shape})
        config: dict[str, str | int] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if threads is not None:
            config["INFERENCE_NUM_THREADS"] = threads
        with _core_lock:
            core = _core()
        self._request = core.compile_model(model, "CPU", config).create_infer_request()

    @property
    def name(self) -> str:
        return "openvino-cpu"

    def run(self, image: Array) -> dict[str, Array]:
        results = self._request.infer([np.ascontiguousarray(image)])
        # the request's buffers are overwritten by the next call
        return {name: np.array(results[i], dtype=np.float32) for i, name in enumerate(self._names)}


_core_lock = threading.Lock()


@functools.cache
def _core() -> Any:
    """The process's only OpenVINO core, kept until the interpreter ends; call with `_core_lock` held.

    A core's CPU plugin puts a signal stack of its own on the thread that loads it (processors with AMX need a large
    one) and unmaps it when core and models are freed. It puts the former stack back only when freed by the same thread,
    and of several cores only when the last made goes first. Otherwise the thread keeps an unmapped stack, and the next
    signal that Python handles there (an interrupt, SIGTERM) is a segmentation fault.
    """
    import openvino

    return openvino.Core()


@contextmanager
def _no_telemetry() -> Iterator[None]:
    """OpenVINO's converter reports its use over the network unless it believes to run in CI; no hospital's should."""
    before = os.environ.get("CI")
    os.environ["CI"] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ["CI"]
        else:
            os.environ["CI"] = before


class _Flat(torch.nn.Module):
    """A module's dict of outputs as a tuple, in the dict's order: tracing keeps tuples."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(self.module(image).values())


def parity_error(one: Backend, other: Backend, example: Array) -> float:
    """Largest relative difference of any output: max |a - b| / max(1, max |a|)."""
    a, b = one.run(example), other.run(example)
    return max(
        (float(np.abs(a[name] - b[name]).max()) / max(1.0, float(np.abs(a[name]).max())) for name in a), default=0.0
    )


def choose_backend(
    module: torch.nn.Module, example: Array, device: str = "auto", threads: int | None = None
) -> Backend:
    """The back end for a loaded module on this machine.

    device: `auto` takes CUDA where there is a GPU, else OpenVINO where it is installed, else torch on the CPU; `cpu`,
    `cuda` and `openvino` insist. example: (1, C, ...) input of a size the network takes; a back end other than torch on
    the CPU must agree with it there within `PARITY_TOLERANCE`; one that does not is not used.
    threads: CPU threads of OpenVINO (torch's are a process-wide setting, `torch.set_num_threads`).

    Raises SettingsError for an unknown device, CUDA without a GPU, or an insisted back end that fails parity.
    """
    if device not in DEVICES:
        raise SettingsError(f"device {device!r} is not one of {', '.join(DEVICES)}")
    if device == "cuda" and not torch.cuda.is_available():
        raise SettingsError("device 'cuda' was asked for but torch sees no GPU; use device 'auto' or 'cpu'")
    reference = TorchBackend(module, "cpu")
    chosen: Backend | None = None
    if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
        expected = reference.run(example)
        chosen = TorchBackend(module, "cuda")
        return _checked(chosen, expected, example, module, insist=device == "cuda")
    if device == "openvino" or (device == "auto" and importlib.util.find_spec("openvino") is not None):
        expected = reference.run(example)
        chosen = OpenVinoBackend(module, example, threads)
        return _checked(chosen, expected, example, module, insist=device == "openvino")
    return reference


class _Recorded:
    """Outputs computed before, as a back end: moving a module to the GPU leaves no CPU copy to ask."""

    name = "recorded"

    def __init__(self, outputs: dict[str, Array]) -> None:
        self._outputs = outputs

    def run(self, image: Array) -> dict[str, Array]:
        return self._outputs


def _checked(
    chosen: Backend, expected: dict[str, Array], example: Array, module: torch.nn.Module, insist: bool
) -> Backend:
    error = parity_error(_Recorded(expected), chosen, example)
    if error <= PARITY_TOLERANCE:
        return chosen
    message = f"back end {chosen.name} differs from torch on the CPU by {error:.2g} (relative)"
    if insist:
        raise SettingsError(f"{message}; use device 'cpu'")
    _log.warning("%s: torch on the CPU is used instead", message)
    return TorchBackend(module, "cpu")
