"""What Prefect is told before it is imported, and how its embedded server is started.

Belongs here: environment variables and the embedded server. Does not belong here: anything that imports Prefect at the
top of the module, since `vfscreen --help` loads this.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path

from flows.lifeline import ended_with_this_process

PREFECT_DEFAULTS = {
    # A first start migrates the database: 21-24 s were measured, above Prefect's own limit of 20 s.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}
"""Set unless the environment says otherwise. Nothing about a hospital's archive is sent anywhere."""

QUIET_DEFAULTS = {"PREFECT_LOGGING_LEVEL": "CRITICAL"}
"""For a sweep in a terminal: the progress bar, the summary and the message say what Prefect's log would."""


def set_prefect_defaults(environ: MutableMapping[str, str] = os.environ) -> None:
    """Puts `PREFECT_DEFAULTS` into the environment; what is already there stays."""
    for name, value in PREFECT_DEFAULTS.items():
        environ.setdefault(name, value)


def quieten_prefect(environ: MutableMapping[str, str] = os.environ) -> None:
    """Puts `QUIET_DEFAULTS` into the environment; call before Prefect is imported."""
    for name, value in QUIET_DEFAULTS.items():
        environ.setdefault(name, value)


@contextmanager
def prefect_server() -> Iterator[str]:
    """The URL of a Prefect server that answers: the one at PREFECT_API_URL, else this process's embedded one.

    Inside the context every flow and, through the settings that travel with a task, every worker talks to that server;
    left alone, each worker process would start an embedded one of its own (10 s of both cores each). Two sweeps that
    start at once on a machine that never ran Prefect would both create its database; the lock lets one of them do it.
    The embedded server ends with this process, also where that is killed.
    Raises what Prefect raises when no server can be reached.
    """
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings

    home = Path(get_current_settings().home).expanduser()
    home.mkdir(parents=True, exist_ok=True)
    with ended_with_this_process(), (home / "vfscreen-server-start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed, also by a kill
        with get_client(sync_client=True) as client:
            client.hello().raise_for_status()
            url = str(client.api_url)
    with temporary_settings({PREFECT_API_URL: url}):
        yield url
