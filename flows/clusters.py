"""What a cluster file may say: one validated model for each kind of cluster.

Belongs here: names, types, limits and defaults, and finding a file by name. Does not belong here: starting anything
(flows.launch). The files are `flows/cluster_files/<name>.yaml`, installed with the package; deployments/clusters is a
link to them.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from vfscreen.errors import SettingsError

Memory = Annotated[str, Field(pattern=r"^\d+(\.\d+)?\s?([KMGT]i?B)$", description="For example 4GiB.")]


class ClusterModel(BaseModel):
    """What every kind has. Unknown names are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    worker_wait_s: float = Field(600.0, gt=0, description="With no worker for this long the sweep stops.")
    resources: dict[str, float] = Field(
        default_factory=dict, description="Dask resources one shard takes; every worker must declare them."
    )
    worker_environment: dict[str, str] = Field(default_factory=dict, description="Variables of the worker processes.")


class LocalModel(ClusterModel):
    """Worker processes on this machine."""

    kind: Literal["local"]
    workers: int | None = Field(None, ge=1, description="Unset: one a core, as far as the memory reaches.")
    threads_per_worker: int | None = Field(None, ge=1, description="Inference threads. Unset: cores / workers.")
    memory_per_worker: Memory | None = Field(None, description="A worker above it is killed. Unset: an equal share.")


class GpuNodeModel(ClusterModel):
    """One worker process for each GPU of this machine, which sees only that one."""

    kind: Literal["gpu-node"]
    devices: tuple[str, ...] | None = Field(
        None, min_length=1, description="Indices or UUIDs. Unset: CUDA_VISIBLE_DEVICES, else all that nvidia-smi lists."
    )
    threads_per_worker: int | None = Field(None, ge=1, description="CPU threads. Unset: cores / devices.")
    memory_per_worker: Memory | None = None


class SlurmModel(ClusterModel):
    """One SLURM job for each worker (needs dask-jobqueue)."""

    kind: Literal["slurm"]
    workers: int = Field(ge=1)
    queue: str | None = None
    account: str | None = None
    walltime: str = Field("08:00:00", pattern=r"^(\d+-)?\d{1,2}:\d{2}:\d{2}$")
    threads_per_worker: int = Field(2, ge=1)
    memory_per_worker: Memory = "8GiB"
    job_directives: tuple[str, ...] = Field((), description="Further #SBATCH lines, for example --gres=gpu:1.")
    job_prologue: tuple[str, ...] = Field((), description="Shell lines before the worker starts.")


class KubernetesModel(ClusterModel):
    """One pod for each worker (needs dask-kubernetes and its operator in the cluster)."""

    kind: Literal["kubernetes"]
    workers: int = Field(ge=1)
    image: str = Field(min_length=1, description="An image with this package installed.")
    name: str = Field("vfscreen", pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    namespace: str | None = None
    threads_per_worker: int = Field(2, ge=1)
    memory_per_worker: Memory = "8GiB"
    pod_resources: dict[str, str] = Field(default_factory=dict, description="Limits, for example nvidia.com/gpu: '1'.")


class ExistingSchedulerModel(ClusterModel):
    """A Dask scheduler that already runs, with its workers; the sweep neither starts nor stops them."""

    kind: Literal["existing-scheduler"]
    address: str = Field(pattern=r"^(tcp|tls|ws|wss)://.+:\d+$")


Cluster = Annotated[
    LocalModel | GpuNodeModel | SlurmModel | KubernetesModel | ExistingSchedulerModel, Field(discriminator="kind")
]
_ADAPTER: TypeAdapter[Cluster] = TypeAdapter(Cluster)


def cluster_names() -> list[str]:
    """Names that `--cluster` knows without a file."""
    return sorted(
        p.name.removesuffix(".yaml") for p in files("flows").joinpath("cluster_files").iterdir() if p.is_file()
    )


def validate_cluster(values: Any, source: str) -> Cluster:
    """A checked cluster from plain values. Raises SettingsError naming `source` and the field."""
    try:
        return _ADAPTER.validate_python(values)
    except ValidationError as error:
        lines = [f"{'.'.join(str(p) for p in e['loc']) or 'file'}: {e['msg']}" for e in error.errors()]
        raise SettingsError(f"cluster {source} is not valid: " + "; ".join(lines)) from error


def load_cluster(name_or_file: str, workers: int | None = None) -> Cluster:
    """The cluster of that name, or of that YAML file; `workers` replaces the number it gives.

    Raises SettingsError for an unknown name, an unreadable file, a wrong field, or `workers` where the kind does not
    start any (an existing scheduler, one process for each GPU).
    """
    if name_or_file in cluster_names():
        text = files("flows").joinpath("cluster_files", f"{name_or_file}.yaml").read_text(encoding="utf-8")
    else:
        path = Path(name_or_file)
        if not path.is_file():
            raise SettingsError(f"cluster {name_or_file!r} is neither a file nor one of {', '.join(cluster_names())}")
        text = path.read_text(encoding="utf-8")
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"cluster file {name_or_file} cannot be read: {error}") from error
    if workers is not None:
        kind = values.get("kind") if isinstance(values, dict) else None
        if kind not in ("local", "slurm", "kubernetes"):
            raise SettingsError(f"--workers does not apply to a cluster of kind {kind!r}")
        values = {**values, "workers": workers}
    return validate_cluster(values, name_or_file)
