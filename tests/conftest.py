"""Fixtures for all tests: where the shared real data lies. Data the tests make themselves comes from the builders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.s3_server import s3_server

__all__ = ["s3_server"]  # one server for every test of the session: its ports cannot be shared

# a busy machine is no defect of the code under test
settings.register_profile("vfscreen", deadline=None)
settings.load_profile("vfscreen")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data for development; tests that need it are skipped where it is absent."""
    stated = os.environ.get("VFSCREEN_SHARED_DATA")
    folder = Path(stated) if stated else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no shared data: set VFSCREEN_SHARED_DATA to its folder")
    return folder
