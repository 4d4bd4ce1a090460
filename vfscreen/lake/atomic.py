"""Reading and writing whole files under one root, on a folder or in an object store, so that nobody sees half a file.

Belongs here: `Store` (fsspec underneath), atomic replacement, create-if-absent, left-overs of dead writers, and turning
storage errors into typed ones. Does not belong here: what the files are (`lake.paths`) or hold (`lake.store`).

On a local file system a file is written under a temporary name in its own folder, flushed to the disk, renamed, and the
folder is flushed: after a crash at any moment the name holds the old bytes or the new ones. A temporary
file is locked by its writer for as long as the writer lives, which is how the next writer knows what is left over.
In an object store one put is atomic by itself (a multi-part upload appears when it is completed).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import fsspec

from vfscreen.errors import LakeError, SiteError, StorageFull

TEMPORARY_PREFIX = ".tmp-"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FULL_WORDS = ("insufficientstorage", "quotaexceeded", "storagefull", "no space left", "no free volumes")
_CREATED_JUST_NOW_S = 60.0


@dataclass(frozen=True)
class FileInfo:
    """A stored file: path relative to the root, size in bytes, last modification in s since the epoch, if known."""

    path: str
    size: int
    modified: float | None


class Store:
    """Whole files under one root URL. Paths are relative, '/' separated. Safe to pickle and to use from threads.

    Raises StorageFull where the storage takes no more bytes, LakeError for every other storage error except
    a missing file, which stays FileNotFoundError.
    """

    def __init__(self, url: str | os.PathLike[str]) -> None:
        self.url = os.fspath(url).rstrip("/") or "/"
        # Listings are never cached: another process writes to the same lake.
        fs, root = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        self.fs: Any = fs
        self.root: str = str(root).rstrip("/")
        self.is_local: bool = "file" in ((fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol))

    def full(self, path: str) -> str:
        """Path as the file system underneath knows it; ValueError where `path` would leave the root."""
        if path.startswith("/") or ".." in path.split("/"):
            raise ValueError(f"{path!r} is not a path inside the lake")
        return f"{self.root}/{path}" if path else self.root

    def qualified(self, path: str) -> str:
        """Path with its protocol, as a third program (DuckDB) is told it."""
        return self.full(path) if self.is_local else str(self.fs.unstrip_protocol(self.full(path)))

    # reading

    def exists(self, path: str) -> bool:
        with self._typed("look for", path):
            return bool(self.fs.exists(self.full(path)))

    def read_bytes(self, path: str) -> bytes:
        with self._typed("read", path):
            return bytes(self.fs.cat_file(self.full(path)))

    def read_many(self, paths: Sequence[str]) -> list[bytes]:
        """Contents in the order of `paths`; an object store is asked for many at once."""
        if not paths:
            return []
        with self._typed("read", f"{paths[0]} and {len(paths) - 1} more"):
            if self.is_local:
                return [Path(self.full(p)).read_bytes() for p in paths]
            found = self.fs.cat([self.full(p) for p in paths])
            if isinstance(found, bytes):
                return [found]
            return [bytes(found[self.full(p)]) for p in paths]

    def list_files(self, folder: str) -> list[FileInfo]:
        """Files directly in `folder`, by name; temporary files are not shown. A missing folder is empty."""
        return [f for f in self._list(folder) if not f.path.rsplit("/", 1)[-1].startswith(TEMPORARY_PREFIX)]

    def _list(self, folder: str) -> list[FileInfo]:
        found: list[FileInfo] = []
        with self._typed("list", folder):
            if self.is_local:
                with contextlib.suppress(FileNotFoundError), os.scandir(self.full(folder)) as entries:
                    for entry in entries:
                        with contextlib.suppress(FileNotFoundError):  # renamed or removed since
                            if entry.is_file():
                                stat = entry.stat()
                                found.append(FileInfo(_join(folder, entry.name), stat.st_size, stat.st_mtime))
            else:
                with contextlib.suppress(FileNotFoundError):
                    for item in self.fs.ls(self.full(folder), detail=True, refresh=True):
                        if item["type"] == "file":
                            when = item.get("LastModified")
                            name = _join(folder, item["name"].rsplit("/", 1)[-1])
                            found.append(FileInfo(name, int(item["size"] or 0), when.timestamp() if when else None))
        return sorted(found, key=lambda f: f.path)

    # writing

    def write_bytes(self, path: str, data: bytes) -> None:
        """Put `data` at `path`, replacing what was there, atomically and durably."""
        if self.is_local:
            with self.writing(path) as file:
                file.write(data)
        else:
            with self._typed("write", path):
                self.fs.pipe_file(self.full(path), data)

    def create_bytes(self, path: str, data: bytes) -> bool:
        """Put `data` at `path` only if nothing is there. False where another writer was first. Atomic and durable."""
        with self._typed("create", path):
            if self.is_local:
                return self._create_local(Path(self.full(path)), data)
            try:
                self.fs.pipe_file(self.full(path), data, mode="create")
            except FileExistsError:
                return False
            except OSError as error:
                # A store that answers a lost race with 412 or 409 instead of the S3 error code.
                if error.errno == errno.EINVAL and self.fs.exists(self.full(path)):
                    return False
                raise
            return True

    @contextlib.contextmanager
    def writing(self, path: str) -> Iterator[IO[bytes]]:
        """A binary file to fill; it appears at `path` when the block ends without an error, and not otherwise.

        Only fill the file inside the block: an OSError raised there is taken for the storage's own.
        """
        with self._typed("write", path):
            if self.is_local:
                with _temporary(Path(self.full(path))) as (file, temporary):
                    yield file
                    _flush(file)
                    temporary.replace(self.full(path))
                    _flush_folder(temporary.parent)
            else:
                with tempfile.NamedTemporaryFile(prefix="vfscreen-") as file:
                    yield file
                    file.flush()
                    self.fs.put_file(file.name, self.full(path))

    def remove(self, path: str) -> None:
        """Remove a file; one that is not there is fine."""
        with self._typed("remove", path), contextlib.suppress(FileNotFoundError):
            if self.is_local:
                Path(self.full(path)).unlink()
            else:
                self.fs.rm_file(self.full(path))

    def remove_left_overs(self, folder: str) -> int:
        """Remove temporary files in `folder` whose writer is dead; the number removed. Object stores have none."""
        if not self.is_local:
            return 0
        removed = 0
        for info in self._list(folder):
            path = Path(self.full(info.path))
            # Between creating and locking its file a writer owns no lock yet; a minute is far longer than that.
            if path.name.startswith(TEMPORARY_PREFIX) and older_than(info, _CREATED_JUST_NOW_S):
                with self._typed("remove", info.path), contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                    if _lock(file):
                        path.unlink()
                        removed += 1
        return removed

    def _create_local(self, path: Path, data: bytes) -> bool:
        if path.exists():
            return False
        with _temporary(path) as (file, temporary):
            file.write(data)
            _flush(file)
            try:
                # Unlike a rename, a hard link never replaces what is there.
                os.link(temporary, path)
            except FileExistsError:
                return False
            _flush_folder(path.parent)
        return True

    @contextlib.contextmanager
    def _typed(self, verb: str, path: str) -> Iterator[None]:
        try:
            yield
        except (SiteError, FileNotFoundError):
            raise
        except OSError as error:
            text = f"cannot {verb} {path} in {self.url}: {error}"
            words = str(error).lower()
            if error.errno in _FULL or (not self.is_local and any(w in words for w in _FULL_WORDS)):
                raise StorageFull(f"{text}. Free space (or raise the quota) and run the same command again") from error
            raise LakeError(f"{text}. Check that the storage is reachable and writable for this user") from error
        except Exception as error:
            # Client libraries of object stores have their own roots of errors (credentials, end points).
            if type(error).__module__.split(".")[0] in {"botocore", "aiobotocore", "aiohttp", "s3fs"}:
                raise LakeError(f"cannot {verb} {path} in {self.url}: {error}. Check end point and keys") from error
            raise


def older_than(info: FileInfo, seconds: float) -> bool:
    """Whether the file was last written more than `seconds` ago; False where that is not known."""
    return info.modified is not None and time.time() - info.modified > seconds


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


@contextlib.contextmanager
def _temporary(target: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """A locked temporary file beside `target`; whatever is left of it at the end is removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}-{target.name}"
    try:
        with temporary.open("xb") as file:
            _lock(file)
            yield file, temporary
    finally:
        temporary.unlink(missing_ok=True)


def _lock(file: IO[bytes]) -> bool:
    """Take the file's lock without waiting; False where a living writer holds it or the file system has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
