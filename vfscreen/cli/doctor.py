"""`vfscreen doctor`: is this installation, and a lake or archive if named, fit for a sweep?

Belongs here: checks that take seconds, each with a remedy. Does not belong here: repairs, checks of results (`ledger`).
"""

from __future__ import annotations

import contextlib
import importlib
import os
import platform
import shutil
import sys
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from vfscreen.cli.common import ExitStatus, print_json
from vfscreen.errors import VfscreenError

PACKAGES = ("torch", "openvino", "pydicom", "SimpleITK", "pyarrow", "duckdb", "s3fs", "prefect", "dask", "distributed")
OPTIONAL_PACKAGES = frozenset({"openvino"})  # has no build for every processor; torch takes its place
FREE_BYTES_MIN = 1 << 30


@dataclass(frozen=True)
class Check:
    """One finding. remedy: what to do, where `ok` is False."""

    name: str
    ok: bool
    detail: str
    remedy: str | None = None


def check_python() -> Iterable[Check]:
    """The interpreter is one the package is tested with."""
    ok = (3, 11) <= sys.version_info[:2] < (3, 14)
    yield Check("python", ok, platform.python_version(), None if ok else "use Python 3.11 to 3.13")


def check_packages() -> Iterable[Check]:
    """What is installed and can be imported."""
    for name in PACKAGES:
        try:
            found = version(name)
            importlib.import_module(name)
        except PackageNotFoundError:
            optional = name in OPTIONAL_PACKAGES
            yield Check(f"package {name}", optional, "not installed", None if optional else f"pip install {name}")
        except Exception as error:
            yield Check(f"package {name}", False, f"{type(error).__name__}: {error}", f"reinstall {name}")
        else:
            yield Check(f"package {name}", True, found)


def check_devices() -> Iterable[Check]:
    """Where inference will run; a machine without a GPU is not broken."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    yield Check("devices", True, ", ".join(gpus) or f"CPU, {os.cpu_count()} cores")


def check_decoders() -> Iterable[Check]:
    """Every compressed transfer syntax a CT archive may hold."""
    from vfscreen.ingest.decoders import available_decoders

    for name, plugins in available_decoders().items():
        remedy = None if plugins else "pip install pylibjpeg-libjpeg pylibjpeg-openjpeg pylibjpeg-rle pyjpegls"
        yield Check(f"decoder {name}", bool(plugins), ", ".join(plugins) or "none", remedy)


def check_weights() -> Iterable[Check]:
    """The weights of the default release are the ones their cards describe."""
    from vfscreen.models.cards import file_sha256, read_card
    from vfscreen.models.registry import release_cards, release_name

    for kind, path in release_cards().items():
        card = read_card(path)
        weights = path.with_suffix(".safetensors")
        if not weights.is_file():
            yield Check(f"weights {kind}", False, f"{weights.name} is missing", "reinstall vfscreen")
            continue
        ok = file_sha256(weights) == card.sha256
        detail = f"{card.name} {card.version}" if ok else f"{weights.name} is not the file its card describes"
        yield Check(f"weights {kind}", ok, detail, None if ok else "reinstall vfscreen")
    yield Check("model release", True, release_name())


def check_identity(lake: str | None) -> Iterable[Check]:
    """Whether pseudonyms have a key, and from where. Creates none."""
    from vfscreen.ingest.identity import KEY_ENVIRONMENT, default_key_file, load_pseudonymiser
    from vfscreen.settings import load_settings

    settings = load_settings().identity
    path = settings.key_file or default_key_file()
    if KEY_ENVIRONMENT not in os.environ and not path.exists():
        yield Check("identity key", True, f"none yet; the first index makes {path}")
        return
    load_pseudonymiser(settings, lake or "")
    yield Check("identity key", True, KEY_ENVIRONMENT if KEY_ENVIRONMENT in os.environ else str(path))


def check_lake(url: str) -> Iterable[Check]:
    """The lake can be listed and written, and there is room. Leaves nothing behind."""
    from vfscreen.lake.atomic import Store

    store = Store(url)
    probe = f"overlays/doctor-{uuid.uuid4().hex}"
    probe_folder = Path(store.full("overlays")) if store.is_local else None
    made = [p for p in (probe_folder, *probe_folder.parents) if not p.exists()] if probe_folder else []
    try:
        store.write_bytes(probe, b"probe")
        readable = store.read_bytes(probe) == b"probe"
        store.remove(probe)
    finally:
        for folder in made:  # innermost first; one that somebody else uses by now is not empty and stays
            with contextlib.suppress(OSError):
                folder.rmdir()
    yield Check("lake", readable, f"{store.url} can be written", None if readable else "it gives back other bytes")
    if store.is_local:
        existing = next(p for p in (Path(store.root), *Path(store.root).parents) if p.exists())
        free = shutil.disk_usage(existing).free
        ok = free >= FREE_BYTES_MIN
        yield Check("lake space", ok, f"{free / (1 << 30):.1f} GiB free", None if ok else "free at least 1 GiB")


def check_archive(url: str) -> Iterable[Check]:
    """The archive can be listed and its first file read."""
    from vfscreen.ingest.sources import open_archive

    archive = open_archive(url)
    first = next(iter(archive.list()), None)
    if first is None:
        yield Check("archive", False, f"{url} holds no file", "check the folder or the bucket's name")
        return
    for source in archive.sources([(first.path, "")]):
        if isinstance(source, OSError):
            yield Check("archive", False, f"{first.path}: {source}", "let this user read the archive")
        else:
            source.read(0, min(source.size, 132))
            yield Check("archive", True, f"{url} can be read")


def run_checks(checks: Iterable[tuple[str, Callable[[], Iterable[Check]]]]) -> list[Check]:
    """All findings; a check that breaks is itself a finding."""
    found: list[Check] = []
    for name, check in checks:
        try:
            found.extend(check())
        except VfscreenError as error:
            found.append(Check(name, False, str(error), "see the message"))
        except Exception as error:
            found.append(Check(name, False, f"{type(error).__name__}: {error}", "see the message"))
    return found


def examine(lake: str | None = None, archive: str | None = None) -> list[Check]:
    """Every check of this installation, and of a lake and an archive where they are named."""
    checks: list[tuple[str, Callable[[], Iterable[Check]]]] = [
        ("python", check_python),
        ("packages", check_packages),
        ("devices", check_devices),
        ("decoders", check_decoders),
        ("weights", check_weights),
        ("identity key", lambda: check_identity(lake)),
    ]
    if lake is not None:
        checks.append(("lake", lambda: check_lake(lake)))
    if archive is not None:
        checks.append(("archive", lambda: check_archive(archive)))
    return run_checks(checks)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""

    @app.command()
    def doctor(
        lake: Annotated[str | None, typer.Option("--lake", help="Also look at this folder or URL of results.")] = None,
        archive: Annotated[str | None, typer.Option("--archive", help="Also look at this archive.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    ) -> None:
        """Check this installation, and a lake and an archive if named. Exit status 1 if something is broken.

        Examples:

            vfscreen doctor

            vfscreen doctor --archive s3://archive/2024 --lake s3://results/lake --json
        """
        found = examine(lake, archive)
        healthy = all(check.ok for check in found)
        if as_json:
            print_json({"ok": healthy, "checks": [asdict(check) for check in found]})
        else:
            for check in found:
                typer.echo(f"{'ok    ' if check.ok else 'BROKEN'}  {check.name}: {check.detail}")
                if check.remedy:
                    typer.echo(f"        remedy: {check.remedy}")
        if not healthy:
            raise typer.Exit(ExitStatus.FAILED)
