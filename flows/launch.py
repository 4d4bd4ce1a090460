"""Starts the cluster a file describes and says where its scheduler is.

Belongs here: from a cluster model to running workers, their threads, memory and devices. Does not belong here: what a
file may say (flows.clusters), what the workers do (flows.dispatch).

A worker runs one shard at a time (`nthreads=1`): a shard has its own reading thread, and the networks take the cores
through their own threads. numpy's and SimpleITK's memory is unmanaged for Dask, so it can neither spill it nor free
it by pausing; a paused worker would only hang. The one limit kept is the last: a worker above its memory is killed.
"""

from __future__ import annotations

import importlib
import logging
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import dask
from dask.system import CPU_COUNT
from dask.utils import parse_bytes
from distributed import LocalCluster, Nanny, Scheduler, SpecCluster
from distributed.system import MEMORY_LIMIT

from flows.clusters import (
    Cluster,
    ClusterModel,
    ExistingSchedulerModel,
    GpuNodeModel,
    KubernetesModel,
    LocalModel,
    SlurmModel,
)
from vfscreen.errors import SettingsError

WORKER_MEMORY = "3GiB"
"""What a worker is given where nobody said: a volume, the one decoded ahead, the networks."""

DASK_CONFIG: dict[str, Any] = {
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    "distributed.worker.daemon": True,
    "distributed.comm.timeouts.connect": "60s",
    # A worker that died is started again by its nanny; on a busy machine that takes longer than the 15 s after which a
    # cluster gives its place up for good.
    "distributed.deploy.lost-worker-timeout": "1h",
    "distributed.admin.tick.limit": "30s",  # a decoder may hold the GIL for seconds; no warning for that
}

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class RunningCluster:
    """Where shards go. `model` is what the cluster was started from; `cluster` None where it is not ours to stop.

    workers: how many there should be; None where somebody else decides.
    """

    address: str
    model: ClusterModel
    cluster: SpecCluster | None = None
    workers: int | None = None

    def replace_lost(self, alive: int) -> None:
        """Start workers for those that are gone for good (killed while they started, say, so that no nanny is left)."""
        if self.cluster is not None and self.workers is not None and alive < self.workers:
            self.cluster.scale(len(self.cluster.worker_spec) + self.workers - alive)


def worker_environment(model: ClusterModel, threads: int) -> dict[str, str]:
    """Variables of a worker process: `threads` for every numeric library, then what the cluster file says."""
    return {**{name: str(threads) for name in THREAD_VARIABLES}, **model.worker_environment}


def local_shape(model: LocalModel, cores: int = CPU_COUNT, memory: int = MEMORY_LIMIT) -> tuple[int, int, int]:
    """(workers, threads of each, bytes of each) on a machine of `cores` and `memory` bytes."""
    need = parse_bytes(model.memory_per_worker or WORKER_MEMORY)
    workers = model.workers or max(1, min(cores, memory // need))
    threads = model.threads_per_worker or max(1, cores // workers)
    return workers, threads, need if model.memory_per_worker else memory // workers


def gpu_devices(model: GpuNodeModel, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The GPUs to use, as CUDA_VISIBLE_DEVICES names them. Raises SettingsError where there is none."""
    if model.devices:
        return model.devices
    if visible := environ.get("CUDA_VISIBLE_DEVICES"):
        return tuple(d.strip() for d in visible.split(",") if d.strip())
    try:
        query = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
        listing = subprocess.run(query, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise SettingsError(f"no GPU found (nvidia-smi: {error}): use --cluster local, or name `devices`") from error
    devices = tuple(line.strip() for line in listing.splitlines() if line.strip())
    if not devices:
        raise SettingsError("nvidia-smi lists no GPU: use --cluster local, or name `devices` in the cluster file")
    return devices


def gpu_spec(model: GpuNodeModel, devices: tuple[str, ...], cores: int = CPU_COUNT) -> dict[str, dict[str, Any]]:
    """One Dask worker for each of `devices`, which sees only that one."""
    threads = model.threads_per_worker or max(1, cores // len(devices))
    memory = model.memory_per_worker or f"{MEMORY_LIMIT // len(devices)}B"
    return {
        f"gpu-{device}": {
            "cls": Nanny,
            "options": {
                "nthreads": 1,
                "memory_limit": memory,
                "resources": model.resources or None,
                "env": {**worker_environment(model, threads), "CUDA_VISIBLE_DEVICES": device},
            },
        }
        for device in devices
    }


def require(module: str, package: str) -> ModuleType:
    """An optional dependency. Raises SettingsError naming the package to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SettingsError(f"this kind of cluster needs the package {package}: pip install {package}") from error


def slurm_options(model: SlurmModel) -> dict[str, Any]:
    """Keyword arguments of `dask_jobqueue.SLURMCluster`."""
    exports = [f"export {k}={v}" for k, v in worker_environment(model, model.threads_per_worker).items()]
    resources = ",".join(f"{k}={v:g}" for k, v in model.resources.items())
    return {
        "queue": model.queue,
        "account": model.account,
        "walltime": model.walltime,
        "cores": 1,
        "processes": 1,
        "job_cpu": model.threads_per_worker,
        "memory": model.memory_per_worker,
        "job_extra_directives": list(model.job_directives),
        "job_script_prologue": [*exports, *model.job_prologue],
        "worker_extra_args": ["--resources", resources] if resources else [],
    }


def kubernetes_options(model: KubernetesModel) -> dict[str, Any]:
    """Keyword arguments of `dask_kubernetes.operator.KubeCluster`."""
    resources = " ".join(f"{k}={v:g}" for k, v in model.resources.items())
    command = ["dask", "worker", "--nthreads", "1", "--memory-limit", model.memory_per_worker.replace(" ", "")]
    limits = {"cpu": str(model.threads_per_worker), "memory": model.memory_per_worker.replace("iB", "i")}
    return {
        "name": model.name,
        "namespace": model.namespace,
        "image": model.image,
        "n_workers": model.workers,
        "env": worker_environment(model, model.threads_per_worker),
        "resources": {"requests": limits, "limits": {**limits, **model.pod_resources}},
        "worker_command": command + (["--resources", resources] if resources else []),
    }


def _require_reachable_server(kind: str) -> None:
    url = os.environ.get("PREFECT_API_URL", "")
    if not url or "127.0.0.1" in url or "localhost" in url:
        raise SettingsError(
            f"workers of a {kind} cluster run on other machines and report to Prefect: start `prefect server start "
            "--host 0.0.0.0` and set PREFECT_API_URL to an address they can reach"
        )


def _start(model: Cluster, worker_attempts: int) -> SpecCluster:
    # A shard whose workers died this often is set aside and its studies are tried alone (flows.sweep).
    scheduler = {"allowed_failures": worker_attempts - 1}
    if isinstance(model, LocalModel):
        workers, threads, memory = local_shape(model)
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=memory,
            processes=True,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.ERROR,
            scheduler_kwargs=scheduler,
            resources=model.resources or None,
            env=worker_environment(model, threads),
        )
    if isinstance(model, GpuNodeModel):
        spec = gpu_spec(model, gpu_devices(model))
        options = {**scheduler, "host": "127.0.0.1", "port": 0, "dashboard_address": "127.0.0.1:0"}
        return SpecCluster(workers=spec, scheduler={"cls": Scheduler, "options": options}, silence_logs=logging.ERROR)
    if isinstance(model, SlurmModel):
        jobqueue = require("dask_jobqueue", "dask-jobqueue")
        _require_reachable_server(model.kind)
        cluster: SpecCluster = jobqueue.SLURMCluster(**slurm_options(model), scheduler_options=scheduler)
        cluster.scale(jobs=model.workers)
        return cluster
    if isinstance(model, KubernetesModel):
        operator = require("dask_kubernetes.operator", "dask-kubernetes")
        _require_reachable_server(model.kind)
        return operator.KubeCluster(**kubernetes_options(model))
    raise AssertionError(f"no way to start a cluster of kind {model.kind}")


@contextmanager
def open_cluster(model: Cluster, worker_attempts: int) -> Iterator[RunningCluster]:
    """The cluster, running; stopped at the end where it was started here.

    worker_attempts: how many workers a shard may lose before Dask gives it back (a scheduler that already runs, and
    one in Kubernetes, keep their own number). Raises SettingsError where the kind cannot be started on this machine.
    """
    if isinstance(model, ExistingSchedulerModel):
        yield RunningCluster(model.address, model)
        return
    logging.getLogger("distributed").setLevel(logging.ERROR)  # it warns of every worker that dies; so do we, once
    with dask.config.set(DASK_CONFIG):
        cluster = _start(model, worker_attempts)
        try:
            workers = len(cluster.worker_spec) if isinstance(model, LocalModel) else None
            yield RunningCluster(cluster.scheduler_address, model, cluster, workers)
        finally:
            cluster.close(timeout=20)
