"""What Prefect is told, and one server for a sweep and its workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.environment import PREFECT_DEFAULTS, quieten_prefect, set_prefect_defaults

ROOT = Path(__file__).parents[2]


def test_defaults_are_set_and_what_is_set_stays() -> None:
    environ = {"PREFECT_SERVER_ANALYTICS_ENABLED": "true"}
    set_prefect_defaults(environ)
    quieten_prefect(environ)
    assert environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "true"
    assert environ["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] == "120"
    assert environ["DO_NOT_TRACK"] == "1"
    assert environ["PREFECT_LOGGING_LEVEL"] == "CRITICAL"


def test_prefect_itself_reads_them() -> None:
    code = (
        "import flows\n"
        "from prefect.settings import get_current_settings as s\n"
        "print(s().server.analytics_enabled, s().server.ephemeral.startup_timeout_seconds)"
    )
    environment = {k: v for k, v in os.environ.items() if k not in PREFECT_DEFAULTS}
    out = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert out.stdout.split() == ["False", "120"]


@pytest.mark.slow
def test_workers_use_the_server_of_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a server of the site one embedded server is started for the sweep, none by its workers."""
    monkeypatch.delenv("PREFECT_API_URL")
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "INFO")
    code = """
from flows.environment import prefect_server
from prefect import flow, task
from prefect_dask import DaskTaskRunner

@task
def where():
    from prefect.client.orchestration import get_client
    with get_client(sync_client=True) as client:
        return str(client.api_url), str(client.server_type)

@flow(task_runner=DaskTaskRunner(cluster_kwargs={"n_workers": 1, "threads_per_worker": 1}))
def ask():
    return where.submit().result()

if __name__ == "__main__":
    with prefect_server() as url:
        print("SAME" if ask()[0].rstrip("/") == url.rstrip("/") else "OTHER")
"""
    script = tmp_path / "ask.py"
    script.write_text(code)
    out = subprocess.run([sys.executable, str(script)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "SAME" in out.stdout, out.stderr[-2000:]
    assert (out.stdout + out.stderr).count("Starting temporary server") == 1
