"""For all tests: how they are drawn and dealt out, where the shared real data lies.

Data the tests make themselves comes from the builders.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.s3_server import s3_server

__all__ = ["s3_server"]  # one server for every test of the session (of a worker's, with -n): its ports cannot be shared

# A busy machine is no defect of the code under test, and a commit passes or fails by its own doing: the same examples
# every time. `pytest --hypothesis-profile=explore` draws new ones.
settings.register_profile("vfscreen", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("vfscreen")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With workers (`pytest -n`), files with slow tests go first: begun last they would keep one worker busy alone."""
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data for development; tests that need it are skipped where it is absent."""
    stated = os.environ.get("VFSCREEN_SHARED_DATA")
    folder = Path(stated) if stated else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no shared data: set VFSCREEN_SHARED_DATA to its folder")
    return folder
