"""Cluster files: what is shipped is valid, what is wrong is named, what cannot be started says why."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from flows.clusters import (
    ExistingSchedulerModel,
    GpuNodeModel,
    KubernetesModel,
    LocalModel,
    SlurmModel,
    cluster_names,
    load_cluster,
    validate_cluster,
)
from flows.launch import (
    gpu_devices,
    gpu_spec,
    kubernetes_options,
    local_shape,
    open_cluster,
    require,
    slurm_options,
    worker_environment,
)
from vfscreen.errors import SettingsError

ROOT = Path(__file__).parents[2]
GIB = 1 << 30


def test_every_shipped_file_is_valid_and_of_the_kind_its_name_says() -> None:
    names = cluster_names()
    assert names == ["existing-scheduler", "gpu-node", "kubernetes", "local", "slurm"]
    for name in names:
        assert load_cluster(name).kind == name


def test_deployments_shows_the_files_that_are_installed() -> None:
    shown = ROOT / "deployments" / "clusters"
    assert sorted(p.stem for p in shown.glob("*.yaml")) == cluster_names()
    assert shown.resolve() == (ROOT / "flows" / "cluster_files").resolve()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "cloud"}, "cloud"),
        ({"kind": "local", "worker": 2}, r"local\.worker"),
        ({"kind": "local", "workers": 0}, r"local\.workers"),
        ({"kind": "local", "memory_per_worker": "much"}, "memory_per_worker"),
        ({"kind": "existing-scheduler"}, "address"),
        ({"kind": "existing-scheduler", "address": "localhost"}, "address"),
        ({"kind": "slurm", "workers": 1, "walltime": "long"}, "walltime"),
        ({"kind": "kubernetes", "workers": 1}, "image"),
        (["local"], "valid"),
    ],
)
def test_a_mistake_is_named(values: object, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        validate_cluster(values, "test")


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("kind: local\nworkers: 3\n")
    assert load_cluster(str(path)) == LocalModel(kind="local", workers=3)
    assert load_cluster(str(path), workers=5) == LocalModel(kind="local", workers=5)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="existing-scheduler, gpu-node"):
        load_cluster("mine")


def test_workers_cannot_be_asked_of_a_cluster_that_starts_none() -> None:
    with pytest.raises(SettingsError, match="--workers does not apply"):
        load_cluster("existing-scheduler", workers=2)


@pytest.mark.parametrize(
    ("model", "cores", "memory", "shape"),
    [
        (LocalModel(kind="local"), 8, 64 * GIB, (8, 1, 8 * GIB)),
        (LocalModel(kind="local"), 8, 10 * GIB, (3, 2, 10 * GIB // 3)),
        (LocalModel(kind="local"), 2, 1 * GIB, (1, 2, 1 * GIB)),
        (LocalModel(kind="local", workers=2), 8, 16 * GIB, (2, 4, 8 * GIB)),
        (LocalModel(kind="local", memory_per_worker="4GiB"), 8, 16 * GIB, (4, 2, 4 * GIB)),
        (LocalModel(kind="local", workers=2, threads_per_worker=1), 8, 16 * GIB, (2, 1, 8 * GIB)),
    ],
)
def test_workers_fit_cores_and_memory(model: LocalModel, cores: int, memory: int, shape: tuple[int, int, int]) -> None:
    assert local_shape(model, cores, memory) == shape


def test_each_gpu_has_a_worker_that_sees_it_alone() -> None:
    model = GpuNodeModel(kind="gpu-node", devices=("0", "3"), resources={"GPU": 1}, memory_per_worker="8GiB")
    spec = gpu_spec(model, gpu_devices(model), cores=16)
    assert sorted(spec) == ["gpu-0", "gpu-3"]
    options = spec["gpu-3"]["options"]
    assert options["env"]["CUDA_VISIBLE_DEVICES"] == "3"
    assert options["env"]["OMP_NUM_THREADS"] == "8"
    assert (options["nthreads"], options["resources"]) == (1, {"GPU": 1.0})


def test_gpus_come_from_the_environment_where_the_file_names_none() -> None:
    assert gpu_devices(GpuNodeModel(kind="gpu-node"), {"CUDA_VISIBLE_DEVICES": "1, 2"}) == ("1", "2")


def test_a_machine_without_gpu_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match="--cluster local"):
        gpu_devices(GpuNodeModel(kind="gpu-node"), {})


def test_slurm_jobs_hold_one_worker_with_its_threads_and_lines() -> None:
    model = SlurmModel(
        kind="slurm", workers=2, queue="night", threads_per_worker=4, job_directives=("--gres=gpu:1",),
        resources={"GPU": 1}, worker_environment={"A": "b"},
    )  # fmt: skip
    options = slurm_options(model)
    assert (options["processes"], options["cores"], options["job_cpu"]) == (1, 1, 4)
    assert options["job_extra_directives"] == ["--gres=gpu:1"]
    assert {"export OMP_NUM_THREADS=4", "export A=b"} <= set(options["job_script_prologue"])
    assert options["worker_extra_args"] == ["--resources", "GPU=1"]


def test_pods_have_limits_in_kubernetes_units() -> None:
    model = KubernetesModel(
        kind="kubernetes", workers=2, image="i:1", memory_per_worker="6GiB", pod_resources={"nvidia.com/gpu": "1"}
    )
    resources = kubernetes_options(model)["resources"]
    assert resources["limits"] == {"cpu": "2", "memory": "6Gi", "nvidia.com/gpu": "1"}
    assert resources["requests"] == {"cpu": "2", "memory": "6Gi"}


def test_a_missing_package_is_named() -> None:
    with pytest.raises(SettingsError, match="pip install dask-anything"):
        require("dask_anything_that_is_absent", "dask-anything")


def test_the_files_variables_stand_above_the_thread_counts() -> None:
    model = LocalModel(kind="local", worker_environment={"OMP_NUM_THREADS": "1", "X": "y"})
    found = worker_environment(model, 4)
    assert (found["OMP_NUM_THREADS"], found["MKL_NUM_THREADS"], found["X"]) == ("1", "4", "y")


def test_a_local_cluster_starts_with_what_its_file_says(tmp_path: Path) -> None:
    import distributed

    path = tmp_path / "mine.yaml"
    values = {"kind": "local", "workers": 1, "threads_per_worker": 2, "memory_per_worker": "1GiB"}
    path.write_text(yaml.safe_dump({**values, "resources": {"GPU": 1}}))
    with (
        open_cluster(load_cluster(str(path)), worker_attempts=3) as running,
        distributed.Client(running.address) as client,
    ):
        client.wait_for_workers(1, timeout=60)
        (worker,) = client.scheduler_info()["workers"].values()
        assert (worker["nthreads"], worker["memory_limit"], worker["resources"]) == (1, GIB, {"GPU": 1.0})
        threads = client.submit(_thread_variable, resources={"GPU": 1}).result(timeout=60)
        allowed = client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.allowed_failures)
        running.replace_lost(alive=1)
        running.replace_lost(alive=0)  # as if the one there were gone for good: another one comes
        client.wait_for_workers(2, timeout=240)
        assert len(client.scheduler_info(n_workers=-1)["workers"]) == 2
    assert (threads, allowed) == ("2", 2)


def _thread_variable() -> str | None:
    import os

    return os.environ.get("OMP_NUM_THREADS")


def test_an_existing_scheduler_is_left_alone(cluster_file: str) -> None:
    import distributed

    model = load_cluster(cluster_file)
    assert isinstance(model, ExistingSchedulerModel)
    with open_cluster(model, worker_attempts=3) as running:
        assert running.cluster is None
    with distributed.Client(model.address, timeout=30) as client:
        assert len(client.scheduler_info(n_workers=-1)["workers"]) == 2
