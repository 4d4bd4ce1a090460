"""Back ends agree with torch on the CPU, for any size, and a wrong wish is an error."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from vfscreen.errors import SettingsError
from vfscreen.models import backends
from vfscreen.models.backends import OpenVinoBackend, TorchBackend, choose_backend, parity_error
from vfscreen.models.networks2d import VertebraNet


@pytest.fixture(scope="module")
def network() -> VertebraNet:
    torch.manual_seed(1)
    return VertebraNet(planes=5, widths=(8, 8, 8, 8, 8)).eval()


@pytest.fixture(scope="module")
def example() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(1, 5, 64, 96)).astype(np.float32)


@pytest.fixture(scope="module")
def openvino_backend(network: VertebraNet, example: np.ndarray) -> OpenVinoBackend:
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    return OpenVinoBackend(network, example, threads=1)


@pytest.mark.parametrize("rows", [32, 64, 416])
def test_openvino_equals_torch_whatever_the_length(
    network: VertebraNet, openvino_backend: OpenVinoBackend, rows: int
) -> None:
    image = np.random.default_rng(rows).normal(size=(1, 5, rows, 96)).astype(np.float32)
    assert parity_error(TorchBackend(network), openvino_backend, image) < 1e-4


def test_openvino_outputs_are_not_overwritten_by_the_next_call(
    openvino_backend: OpenVinoBackend, example: np.ndarray
) -> None:
    first = openvino_backend.run(example)
    kept = {name: value.copy() for name, value in first.items()}
    openvino_backend.run(-example)
    for name, value in first.items():
        np.testing.assert_array_equal(value, kept[name])


def test_conversion_sends_nothing_and_leaves_the_environment_alone(
    network: VertebraNet, example: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry = pytest.importorskip("openvino_telemetry", reason="OpenVINO is not installed")
    monkeypatch.delenv("CI", raising=False)
    OpenVinoBackend(network, example)
    assert telemetry.Telemetry().consent is False
    assert "CI" not in os.environ


SIGNAL_AFTER_FREED_BACKENDS = """
import signal, threading
import numpy as np, torch
from vfscreen.models.backends import OpenVinoBackend

class Double(torch.nn.Module):
    def forward(self, image):
        return {"twice": 2 * image}

def backend():
    return OpenVinoBackend(Double(), np.ones((1, 1, 4, 4), np.float32), threads=1)

got = []
signal.signal(signal.SIGINT, lambda *_: got.append("handled"))
first, second = backend(), backend()
del first
del second
third = [backend()]
freeing = threading.Thread(target=third.clear)
freeing.start()
freeing.join()
signal.raise_signal(signal.SIGINT)
print(*got)
"""


def test_a_signal_is_handled_after_backends_were_freed_in_any_order_and_thread() -> None:
    """Each with a core of its own, OpenVINO left an unmapped signal stack behind and the signal ended the process."""
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    command = [sys.executable, "-c", SIGNAL_AFTER_FREED_BACKENDS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["handled"]), done.stderr


def test_auto_gives_a_working_back_end(network: VertebraNet, example: np.ndarray) -> None:
    chosen = choose_backend(network, example, "auto")
    assert parity_error(TorchBackend(network), chosen, example) <= backends.PARITY_TOLERANCE


class _Wrong:
    name = "wrong"

    def __init__(self, module: torch.nn.Module, example: np.ndarray, threads: int | None = None) -> None:
        self._right = TorchBackend(module)

    def run(self, image: np.ndarray) -> dict[str, np.ndarray]:
        return {name: value + 0.1 for name, value in self._right.run(image).items()}


def test_a_back_end_that_computes_something_else_is_not_used(
    network: VertebraNet, example: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "OpenVinoBackend", _Wrong)
    assert choose_backend(network, example, "auto").name.startswith("torch")
    with pytest.raises(SettingsError, match="differs from torch"):
        choose_backend(network, example, "openvino")


def test_unknown_and_absent_devices_are_errors(network: VertebraNet, example: np.ndarray) -> None:
    with pytest.raises(SettingsError, match="tpu"):
        choose_backend(network, example, "tpu")
    if not torch.cuda.is_available():
        with pytest.raises(SettingsError, match="no GPU"):
            choose_backend(network, example, "cuda")
