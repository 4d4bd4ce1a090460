"""Who a patient is, without saying it: keyed pseudonyms of PatientID and AccessionNumber.

Belongs here: the key, the keyed hash, the optional mapping file. Does not belong here: reading headers. The key and the
mapping never lie inside the lake, and nothing but a pseudonym of a PatientID ever leaves this module's caller.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import hmac
import io
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vfscreen.errors import SettingsError
from vfscreen.settings import IdentitySettings

KEY_ENVIRONMENT = "VFSCREEN_IDENTITY_KEY"
_KEY_BYTES_MIN = 16


@dataclass
class Pseudonymiser:
    """HMAC-SHA256 with a site's key; the first 128 bits as 32 hexadecimal digits.

    key: at least 16 bytes. remember: keep pseudonym -> (PatientID, IssuerOfPatientID) in `seen`, for the mapping file.
    """

    key: bytes = field(repr=False)
    remember: bool = False
    seen: dict[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    _cache: dict[tuple[str, str, str], str] = field(default_factory=dict, repr=False)

    def patient(self, patient_id: str | None, issuer: str | None) -> str | None:
        """Pseudonym of a patient; None where there is no PatientID."""
        if not patient_id:
            return None
        pseudonym = self._digest("patient", patient_id, issuer or "")
        if self.remember:
            self.seen[pseudonym] = (patient_id, issuer or "")
        return pseudonym

    def accession(self, accession_number: str | None) -> str | None:
        """Pseudonym of an AccessionNumber; None where there is none."""
        return self._digest("accession", accession_number, "") if accession_number else None

    def _digest(self, kind: str, value: str, issuer: str) -> str:
        item = (kind, value, issuer)
        if item not in self._cache:
            if len(self._cache) > 10_000:
                self._cache.clear()
            text = "\x00".join(item).encode("utf-8", "surrogateescape")
            self._cache[item] = hmac.new(self.key, text, hashlib.sha256).hexdigest()[:32]
        return self._cache[item]


def default_key_file() -> Path:
    """Where the key lies when neither the environment nor the settings say: per user, outside any lake."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "vfscreen" / "identity.key"


def load_pseudonymiser(settings: IdentitySettings, lake: str) -> Pseudonymiser:
    """The site's pseudonymiser: key from VFSCREEN_IDENTITY_KEY, else `settings.key_file`, else `default_key_file()`.

    An absent key file is created with a random key and owner-only permissions. Raises SettingsError for a weak key,
    for a key or mapping file inside the lake, and for a key file others can read.
    """
    mapping = settings.mapping_file
    if mapping is not None:
        _outside_lake(mapping, lake, "identity.mapping_file")
    remember = mapping is not None
    if value := os.environ.get(KEY_ENVIRONMENT):
        return Pseudonymiser(_strong(value.strip().encode(), KEY_ENVIRONMENT), remember)
    path = settings.key_file or default_key_file()
    _outside_lake(path, lake, "identity.key_file")
    return Pseudonymiser(_strong(_read_or_create(path), str(path)), remember)


def write_mapping(path: Path, seen: Mapping[str, tuple[str, str]]) -> None:
    """Merge `seen` into the mapping file (CSV), which only its owner can read; replaced atomically."""
    merged: dict[str, tuple[str, str]] = {}
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                merged[row["patient_pseudonym"]] = (row["PatientID"], row["IssuerOfPatientID"])
    merged.update(seen)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["patient_pseudonym", "PatientID", "IssuerOfPatientID"])
    writer.writerows([pseudonym, *merged[pseudonym]] for pseudonym in sorted(merged))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # created with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text.getvalue())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _read_or_create(path: Path) -> bytes:
    try:
        if not path.exists():
            _create(path)
        if path.stat().st_mode & 0o077:
            raise SettingsError(f"identity key file {path} can be read by others; run chmod 600 on it")
        return path.read_bytes().strip()
    except OSError as error:
        raise SettingsError(
            f"identity key file {path} cannot be used ({error}); set identity.key_file or {KEY_ENVIRONMENT}"
        ) from error


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # created with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
        # a link fails where the file exists: of two processes that start together one key wins, whole
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _strong(key: bytes, origin: str) -> bytes:
    if len(key) < _KEY_BYTES_MIN:
        raise SettingsError(f"the identity key in {origin} has {len(key)} bytes; give at least {_KEY_BYTES_MIN}")
    return key


def _outside_lake(path: Path, lake: str, name: str) -> None:
    if "://" in lake and not lake.startswith("file://"):
        return
    root = Path(lake.removeprefix("file://")).resolve()
    if path.resolve().is_relative_to(root):
        raise SettingsError(f"{name} {path} lies inside the lake {lake}; keep it elsewhere")
