"""Bytes of an archive: a folder or any fsspec URL, its files and the members of its zip files.

Belongs here: listing and reading. Does not belong here: what the bytes mean (`headers`, `scan`).
Folders are read with the operating system's own calls, which are several times faster than a file-system layer.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import fsspec

from vfscreen.errors import SiteError


@dataclass(frozen=True)
class Entry:
    """A file of an archive. path: inside the archive, '/' separated. modified: ns, or the object's ETag.

    problem: why the file cannot be read, known from listing alone.
    """

    path: str
    size_bytes: int
    modified: str
    problem: str | None = None


class ByteSource(Protocol):
    """Random access to the bytes of a file or member."""

    @property
    def size(self) -> int: ...

    def read(self, start: int, end: int) -> bytes:
        """Bytes [start, end). Raises OSError where they cannot be had."""
        ...


class LocalFile:
    """A file of the operating system. Use as a context manager."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        info = os.fstat(self._descriptor)
        self.size, self.modified_ns = info.st_size, info.st_mtime_ns

    def __enter__(self) -> LocalFile:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def read(self, start: int, end: int) -> bytes:
        return os.pread(self._descriptor, end - start, start)

    def read_into(self, start: int, out: Any) -> None:
        """Fills `out` (a C-contiguous array) with the bytes from `start` on. Raises OSError where they end early."""
        view = memoryview(out).cast("B")
        done = 0
        while done < len(view):
            count = os.preadv(self._descriptor, [view[done:]], start + done)
            if count == 0:
                raise OSError(f"the file ends at byte {start + done}")
            done += count


@dataclass
class RemoteFile:
    """An object of a file system layer. first: its leading bytes, if they were fetched with others'."""

    fs: Any
    path: str
    size: int
    first: bytes = b""

    def read(self, start: int, end: int) -> bytes:
        if end <= len(self.first):
            return self.first[start:end]
        return bytes(self.fs.cat_file(self.path, start=start, end=end))


@dataclass
class ZipMember:
    """A member of an open zip file; only the bytes asked for are inflated."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    @property
    def size(self) -> int:
        return self.info.file_size

    def read(self, start: int, end: int) -> bytes:
        try:
            with self.archive.open(self.info) as file:
                file.read(start)
                return file.read(end - start)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise OSError(f"zip member {self.info.filename} is damaged: {error}") from error


class Archive:
    """An archive opened by URL or path. Picklable by `url`; open anew in each process."""

    def __init__(self, url: str) -> None:
        self.url = url
        fs, root = fsspec.core.url_to_fs(url)
        self.fs: Any = fs
        self.is_local = "file" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)
        self.root = os.path.abspath(root) if self.is_local else root.rstrip("/")  # noqa: PTH100 - keeps symlinks

    def full(self, path: str) -> str:
        """The file system's own name of a path inside the archive."""
        return f"{self.root}/{path}" if path else self.root

    def source(self, path: str, size: int, first: bytes = b"") -> LocalFile | RemoteFile:
        """A file's bytes. first: its leading bytes where `first_bytes` fetched them."""
        return LocalFile(self.full(path)) if self.is_local else RemoteFile(self.fs, self.full(path), size, first)

    def open_zip(self, path: str) -> zipfile.ZipFile:
        """Raises zipfile.BadZipFile, OSError."""
        return zipfile.ZipFile(Path(self.full(path)).open("rb") if self.is_local else self.fs.open(self.full(path)))

    def sources(self, items: Sequence[tuple[str, str]]) -> Iterator[ByteSource | OSError]:
        """A source of each (path, member), in order, good until the next is asked for; an item that cannot be had is
        its error. Objects of a remote archive are fetched whole, several at a time."""
        opened: tuple[str, zipfile.ZipFile] | None = None
        try:
            for at in range(0, len(items), _FETCH_AT_ONCE):
                chunk = items[at : at + _FETCH_AT_ONCE]
                fetched = self._fetch([path for path, member in chunk if not member])
                for path, member in chunk:
                    try:
                        if member:
                            if opened is None or opened[0] != path:
                                opened = (path, self.open_zip(path))
                            info = opened[1].getinfo(member)
                            yield Memory(ZipMember(opened[1], info).read(0, info.file_size))
                        elif self.is_local:
                            with LocalFile(self.full(path)) as file:
                                yield file
                        else:
                            yield fetched[path]
                    except (KeyError, RuntimeError, zipfile.BadZipFile) as error:
                        yield OSError(f"zip member {member}: {error}")
                    except OSError as error:
                        yield error
        finally:
            if opened is not None:
                opened[1].close()

    def _fetch(self, paths: list[str]) -> dict[str, ByteSource | OSError]:
        if self.is_local or not paths:
            return {}
        found = self.fs.cat([self.full(p) for p in paths], on_error="return")
        contents = {p: _as_bytes(found.get(self.full(p))) for p in paths}
        return {p: c if isinstance(c, OSError) else Memory(c) for p, c in contents.items()}

    def first_bytes(self, entries: Sequence[Entry], count: int) -> dict[str, bytes | OSError]:
        """The leading bytes of remote files, fetched together; nothing for a local archive."""
        if self.is_local or not entries:
            return {}
        paths = [self.full(e.path) for e in entries]
        ends = [min(count, e.size_bytes) for e in entries]
        found = self.fs.cat_ranges(paths, [0] * len(paths), ends, on_error="return")
        return {e.path: _as_bytes(value) for e, value in zip(entries, found, strict=True)}

    def list(self, exclude: str | None = None) -> Iterator[Entry]:
        """Every file, folder by folder. exclude: a URL or path (the lake's) whose files are left out.

        A folder that cannot be listed is an entry with its problem. Raises SiteError where the archive itself is
        absent.
        """
        left_out = Archive(exclude) if exclude else None
        barred = left_out.root if left_out and left_out.is_local == self.is_local else None
        return self._list_local(barred) if self.is_local else self._list_remote(barred)

    def _list_local(self, barred: str | None) -> Iterator[Entry]:
        if Path(self.root).is_file():
            info = Path(self.root).stat()
            raise SiteError(f"{self.url} is a file of {info.st_size} bytes; give the folder that holds the archive")
        if not Path(self.root).is_dir():
            raise SiteError(f"there is no archive at {self.url}; check the path, or that the storage is mounted")
        real_barred = os.path.realpath(barred) if barred else None
        pending, entered = [""], {os.path.realpath(self.root)}
        while pending:
            folder = pending.pop()
            try:
                with os.scandir(self.full(folder)) as found:
                    items = sorted(found, key=lambda i: i.name)
            except OSError as error:
                yield Entry(_utf8(folder), 0, "", f"the folder cannot be listed: {error.strerror}")
                continue
            for item in items:
                path = f"{folder}/{item.name}" if folder else item.name
                try:
                    info = item.stat()
                except OSError as error:
                    yield Entry(_utf8(path), 0, "", f"the file cannot be reached: {error.strerror}")
                    continue
                if stat.S_ISDIR(info.st_mode):
                    real = os.path.realpath(item.path) if item.is_symlink() or real_barred else item.path
                    # a link may lead back to a folder already entered
                    if real != real_barred and real not in entered:
                        if item.is_symlink():
                            entered.add(real)
                        pending.append(path)
                elif _utf8(path) != path:
                    yield Entry(_utf8(path), info.st_size, str(info.st_mtime_ns), "the name is not UTF-8: rename it")
                elif not stat.S_ISREG(info.st_mode):
                    yield Entry(path, 0, str(info.st_mtime_ns), "not a regular file (a pipe, socket or device)")
                else:
                    yield Entry(path, info.st_size, str(info.st_mtime_ns))

    def _list_remote(self, barred: str | None) -> Iterator[Entry]:
        self.fs.invalidate_cache()
        seen = False
        for folder, _, files in self.fs.walk(self.root, detail=True):
            if barred and (folder == barred or folder.startswith(barred + "/")):
                continue
            for name in sorted(files):
                if not name:
                    continue  # the place holder object of a "folder"
                info = files[name]
                seen = True
                path = str(info["name"])[len(self.root) :].lstrip("/")
                stamp = info.get("ETag") or info.get("LastModified") or info.get("mtime") or info.get("created") or ""
                yield Entry(path, int(info.get("size") or 0), str(stamp).strip('"'))
        if not seen and not self.fs.exists(self.root):
            raise SiteError(f"there is no archive at {self.url}; check the bucket, the prefix and AWS_ENDPOINT_URL")


_FETCH_AT_ONCE = 16


@lru_cache(maxsize=4)
def open_archive(url: str) -> Archive:
    """An `Archive`, one a process and URL."""
    return Archive(url)


@dataclass
class Memory:
    """Bytes that were read already."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, start: int, end: int) -> bytes:
        return self.data[start:end]


def _as_bytes(value: Any) -> bytes | OSError:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return value if isinstance(value, OSError) else OSError(f"the object cannot be read: {value}")


def _utf8(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
