"""prefect.yaml on a real Prefect server: deployed as the documentation says, run by a process worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from tests.dicom_builder import SeriesSpec, affine, body, write_series
from vfscreen.lake.ledger import ledger
from vfscreen.lake.store import Lake
from vfscreen.lake.views import connect

ROOT = Path(__file__).parents[2]
PROGRAM = str(Path(sys.executable).with_name("prefect"))


def test_every_deployment_names_a_flow_and_parameters_that_exist() -> None:
    described = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    assert {"nightly", "weekly-audit"} <= {d["name"] for d in described}
    for deployment in described:
        path, _, name = deployment["entrypoint"].partition(":")
        flow = getattr(import_module(path.removesuffix(".py").replace("/", ".")), name)
        assert set(deployment["parameters"]) <= set(flow.parameters.properties)
        assert set(flow.parameters.required) <= set(deployment["parameters"])
        assert (ROOT / deployment["parameters"]["settings_file"]).is_file()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_nightly_sweep_is_deployed_and_run_by_a_process_worker(prefect: str, tmp_path: Path) -> None:
    # one slice: the header rejects it, so that the run is about Prefect and not about pixels
    write_series(tmp_path / "archive", SeriesSpec(), body((1, 40, 48)), affine())
    environment = {
        **os.environ,
        "PWD": str(ROOT),
        "VFSCREEN_ARCHIVE": str(tmp_path / "archive"),
        "VFSCREEN_LAKE": str(tmp_path / "lake"),
        "VFSCREEN_IDENTITY_KEY": "a key for this test only",
    }

    def call(*arguments: str) -> str:
        done = subprocess.run(
            [PROGRAM, "--no-prompt", *arguments],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"prefect {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    call("work-pool", "create", "vfscreen", "--type", "process", "--overwrite")
    call("deploy", "--all")
    deployment = json.loads(call("deployment", "inspect", "vertebral-fracture-sweep/nightly", "--output", "json"))
    assert deployment["schedules"][0]["schedule"]["cron"] == "0 1 * * *"
    call("deployment", "run", "vertebral-fracture-sweep/nightly", "--param", "workers=1")
    call("worker", "start", "--pool", "vfscreen", "--run-once")

    lake = Lake.open(tmp_path / "lake")
    with connect(lake) as connection:
        assert connection.execute("SELECT outcome FROM runs").fetchall() == [("completed",)]
        assert connection.execute("SELECT state, reason_code FROM series").fetchall() == [
            ("rejected", "too_few_slices")
        ]
    assert ledger(lake).reconciles
