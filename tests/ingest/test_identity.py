"""Pseudonyms: keyed, stable, apart by issuer; keys and mappings stay outside the lake and with their owner."""

from __future__ import annotations

import csv
import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vfscreen.errors import SettingsError
from vfscreen.ingest.identity import KEY_ENVIRONMENT, Pseudonymiser, load_pseudonymiser, write_mapping
from vfscreen.settings import IdentitySettings


@pytest.fixture(autouse=True)
def _own_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(KEY_ENVIRONMENT, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_pseudonym_is_the_keyed_hash() -> None:
    who = Pseudonymiser(b"k" * 16)
    expected = hmac.new(b"k" * 16, b"patient\0" + b"4711\0" + b"A", hashlib.sha256).hexdigest()[:32]
    assert who.patient("4711", "A") == expected
    assert who.patient("4711", "B") != expected != who.patient("4712", "A")
    assert Pseudonymiser(b"l" * 16).patient("4711", "A") != expected
    assert who.accession("4711") != who.patient("4711", None)
    assert who.patient(None, "A") is who.patient("", "A") is who.accession(None) is None


def test_default_key_file_is_made_once_with_owner_only_permissions(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: load_pseudonymiser(IdentitySettings(), "lake").key, range(16)))
    assert len(keys) == 1
    path = tmp_path / "config" / "vfscreen" / "identity.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["identity.key"]


def test_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(KEY_ENVIRONMENT, "e" * 20)
    assert load_pseudonymiser(IdentitySettings(), "lake").key == b"e" * 20
    assert not (tmp_path / "config").exists()


def test_weak_and_open_keys_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(KEY_ENVIRONMENT, "short")
    with pytest.raises(SettingsError, match="at least 16"):
        load_pseudonymiser(IdentitySettings(), "lake")
    monkeypatch.delenv(KEY_ENVIRONMENT)
    key = tmp_path / "key"
    key.write_text("x" * 40)
    key.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        load_pseudonymiser(IdentitySettings(key_file=key), "lake")


@pytest.mark.parametrize("name", ["key_file", "mapping_file"])
def test_neither_key_nor_mapping_may_lie_in_the_lake(tmp_path: Path, name: str) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    (tmp_path / "link").symlink_to(lake)
    for folder in (lake, tmp_path / "link" / "deeper"):
        with pytest.raises(SettingsError, match="inside the lake"):
            load_pseudonymiser(IdentitySettings(**{name: folder / "file"}), str(lake))
    assert list(lake.iterdir()) == []


def test_mapping_is_merged_and_private(tmp_path: Path) -> None:
    path = tmp_path / "m" / "mapping.csv"
    write_mapping(path, {"p1": ("1", ""), "p2": ("2", "B, C")})
    write_mapping(path, {"p3": ("3", "")})
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1:] == [["p1", "1", ""], ["p2", "2", "B, C"], ["p3", "3", ""]]
    assert [p.name for p in path.parent.iterdir()] == ["mapping.csv"]


def test_the_key_is_not_shown() -> None:
    assert "kkkk" not in repr(Pseudonymiser(b"k" * 16))
