"""Every file of an archive -> rows of FILES: what it is, why not if it is no instance, its header if it is one.

Belongs here: the state of a file, zip members, media directories, and reading many files with several processes.
Does not belong here: listing (`sources`), headers (`headers`), series (`series`), storing rows (lake).

No file can end the scan: an odd one ends as a row with its reason, and one that kills its reader process is found by
reading its batch again file by file.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import threading
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pydicom

from vfscreen.errors import FileState, ReasonCode
from vfscreen.ingest.headers import (
    FIRST_BYTES,
    MEDIA_DIRECTORY,
    HeaderError,
    header_row,
    looks_like_dicom,
    read_raw,
)
from vfscreen.ingest.identity import Pseudonymiser
from vfscreen.ingest.sources import Archive, ByteSource, Entry, Memory, ZipMember, open_archive
from vfscreen.schema.tables import FILES

Row = dict[str, Any]

BATCH_FILES = 256
_IN_FLIGHT = 3  # batches waiting or running a process
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass
class Batch:
    """Rows of some files: an Arrow table of FILES, and the identities met (empty unless a mapping is kept)."""

    table: Any
    identities: dict[str, tuple[str, str]] = field(default_factory=dict)


BatchReader = Callable[[str, Sequence[Entry], Pseudonymiser | None], Batch]


def read_batch(url: str, entries: Sequence[Entry], pseudonymiser: Pseudonymiser | None) -> Batch:
    """FILES rows of some files of the archive at `url`, checked against the schema."""
    archive = open_archive(url)
    first = archive.first_bytes([e for e in entries if e.problem is None], FIRST_BYTES)
    rows = [row for entry in entries for row in file_rows(archive, entry, pseudonymiser, first.get(entry.path, b""))]
    identities: dict[str, tuple[str, str]] = {}
    if pseudonymiser is not None:
        identities, pseudonymiser.seen = pseudonymiser.seen, {}
    return Batch(FILES.to_arrow(rows), identities)


def file_rows(
    archive: Archive, entry: Entry, pseudonymiser: Pseudonymiser | None, first: bytes | OSError = b""
) -> list[Row]:
    """The row of one file; of a zip file also the rows of its members. Never raises for what a file holds."""
    base: Row = {
        "path": entry.path,
        "member": "",
        "size_bytes": entry.size_bytes,
        "modified": entry.modified,
    }
    if entry.problem is not None:
        return [base | _unreadable(ReasonCode.FILE_UNREADABLE, entry.problem)]
    try:
        if isinstance(first, OSError):
            raise first
        source = archive.source(entry.path, entry.size_bytes, first)
        try:
            row = base | _described(archive, entry.path, source, pseudonymiser)
        finally:
            if hasattr(source, "__exit__"):
                source.__exit__()
    except OSError as error:
        return [base | _unreadable(ReasonCode.FILE_UNREADABLE, f"the file cannot be read: {error}")]
    if row["file_state"] != FileState.CONTAINER:
        return [row]
    try:
        with archive.open_zip(entry.path) as container:
            members = [i for i in container.infolist() if not i.is_dir()]
            rows = _member_rows(archive, entry, container, members, pseudonymiser)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        return [base | _unreadable(ReasonCode.ZIP_UNREADABLE, f"the zip file is damaged: {error}")]
    return [row | {"message": f"zip file of {len(members)} members"}, *rows]


def _member_rows(
    archive: Archive,
    entry: Entry,
    container: zipfile.ZipFile,
    members: list[zipfile.ZipInfo],
    pseudonymiser: Pseudonymiser | None,
) -> list[Row]:
    rows: dict[str, Row] = {}
    for info in members:
        name = info.filename.encode("utf-8", "replace").decode("utf-8")
        base: Row = {
            "path": entry.path,
            "member": name,
            "size_bytes": info.file_size,
            "modified": entry.modified,
        }
        if name in rows:  # a later member replaces an earlier one of the same name, as when unpacking
            base["message"] = "this name occurs more than once in the zip file; the last one counts"
        if info.flag_bits & 0x1:
            rows[name] = base | _unreadable(ReasonCode.ZIP_MEMBER_ENCRYPTED, "the zip member is encrypted: unpack it")
            continue
        try:
            described = _described(archive, None, ZipMember(container, info), pseudonymiser)
        except (OSError, RuntimeError) as error:
            described = _unreadable(ReasonCode.ZIP_UNREADABLE, str(error))
        if described["file_state"] == FileState.CONTAINER:
            described = _unreadable(ReasonCode.ZIP_UNREADABLE, "a zip file inside a zip file: unpack the outer one")
        rows[name] = base | described
    return list(rows.values())


def _described(archive: Archive, path: str | None, source: ByteSource, pseudonymiser: Pseudonymiser | None) -> Row:
    """State, reason and header columns of a file. Raises OSError where its bytes cannot be had."""
    size = source.size
    if size == 0:
        return _unreadable(ReasonCode.EMPTY_FILE, "the file has no bytes")
    first = source.read(0, min(size, FIRST_BYTES))
    if first[:4] in _ZIP_MAGIC and first[128:132] != b"DICM":
        return {"file_state": FileState.CONTAINER.value}
    if not looks_like_dicom(first):
        return {
            "file_state": FileState.NOT_DICOM.value,
            "reason_code": ReasonCode.NOT_DICOM.value,
            "message": f"not DICOM; begins with {first[:8].hex(' ')}",
        }
    if size <= FIRST_BYTES:
        source = Memory(first)
    try:
        row = header_row(read_raw(source), pseudonymiser)
    except HeaderError as error:
        if first[128:132] != b"DICM":
            return {
                "file_state": FileState.NOT_DICOM.value,
                "reason_code": ReasonCode.NOT_DICOM.value,
                "message": f"not DICOM, though it begins like a data set without preamble: {error.message}",
            }
        return _unreadable(error.reason, error.message)
    if row.get("SOPClassUID") == MEDIA_DIRECTORY:
        return {"file_state": FileState.DICOMDIR.value, "message": _directory_message(archive, path, source)}
    if first[128:132] != b"DICM" and row.get("SOPInstanceUID") is None and row.get("SeriesInstanceUID") is None:
        return {
            "file_state": FileState.NOT_DICOM.value,
            "reason_code": ReasonCode.NOT_DICOM.value,
            "message": "not DICOM: neither a preamble nor a SOPInstanceUID",
        }
    if row.get("SeriesInstanceUID") is None:
        return row | _unreadable(ReasonCode.SERIES_UID_MISSING, "the instance has no SeriesInstanceUID")
    return row | {"file_state": FileState.INSTANCE.value}


def _directory_message(archive: Archive, path: str | None, source: ByteSource) -> str:
    """How many files a media directory names and how many of them are missing."""
    try:
        directory = pydicom.dcmread(io.BytesIO(source.read(0, source.size)), force=True)
        records = directory.get("DirectoryRecordSequence") or []
        named = [r.ReferencedFileID for r in records if r.get("ReferencedFileID")]
    except OSError:
        raise
    except Exception as error:
        return f"media directory that cannot be read: {type(error).__name__}: {error}"
    if path is None:
        return f"media directory naming {len(named)} files"
    folder = path.rpartition("/")[0]
    missing = 0
    for name in named:
        parts = [name] if isinstance(name, str) else list(name)
        full = archive.full("/".join([folder, *parts] if folder else parts))
        missing += not (os.path.exists(full) if archive.is_local else archive.fs.exists(full))  # noqa: PTH110
    return f"media directory naming {len(named)} files, {missing} of them missing"


def _unreadable(reason: ReasonCode, message: str) -> Row:
    return {"file_state": FileState.UNREADABLE.value, "reason_code": reason.value, "message": message}


def read_entries(
    url: str,
    entries: Iterable[Entry],
    pseudonymiser: Pseudonymiser | None,
    processes: int | None = None,
    reader: BatchReader = read_batch,
) -> Iterator[Batch]:
    """Batches of FILES rows, in the order of `entries`; at most a few batches a process are held at once.

    processes: reader processes, by default one a core; 0 reads in this process. reader: how a batch is read.
    """
    remaining = iter(entries)
    batches = iter(lambda: tuple(islice(remaining, BATCH_FILES)), ())
    if processes == 0:
        for batch in batches:
            yield reader(url, batch, pseudonymiser)
        return
    workers = processes or os.cpu_count() or 1
    pool = _pool(workers)
    waiting: deque[tuple[tuple[Entry, ...], Future[Batch] | None]] = deque()
    try:
        while True:
            for batch in islice(batches, workers * _IN_FLIGHT - len(waiting)):
                try:
                    waiting.append((batch, pool.submit(reader, url, batch, pseudonymiser)))
                except BrokenProcessPool:
                    waiting.append((batch, None))
            if not waiting:
                return
            batch, future = waiting.popleft()
            try:
                if future is None:
                    raise BrokenProcessPool
                yield future.result()
            except BrokenProcessPool:
                pool.shutdown(wait=True, cancel_futures=True)
                yield from _one_by_one(url, batch, pseudonymiser, reader)
                pool = _pool(workers)
                waiting = deque(
                    (b, f if f is not None and f.done() and f.exception() is None else None) for b, f in waiting
                )
                waiting = deque((b, f or pool.submit(reader, url, b, pseudonymiser)) for b, f in waiting)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _one_by_one(
    url: str, batch: Sequence[Entry], pseudonymiser: Pseudonymiser | None, reader: BatchReader
) -> Iterator[Batch]:
    """Reads a batch that was in flight when a process died, alone; finds the file that kills by halving."""
    with _pool(1) as alone:
        try:
            result = alone.submit(reader, url, tuple(batch), pseudonymiser).result()
        except BrokenProcessPool:
            result = None
    if result is not None:
        yield result
    elif len(batch) == 1:
        entry = batch[0]
        row: Row = {
            "path": entry.path,
            "member": "",
            "size_bytes": entry.size_bytes,
            "modified": entry.modified,
        }
        row |= _unreadable(ReasonCode.HEADER_UNREADABLE, "the process that read the file died")
        yield Batch(FILES.to_arrow([row]))
    else:
        middle = len(batch) // 2
        yield from _one_by_one(url, batch[:middle], pseudonymiser, reader)
        yield from _one_by_one(url, batch[middle:], pseudonymiser, reader)


def _pool(workers: int) -> ProcessPoolExecutor:
    # a fork server forks from a process without threads, after importing the readers once
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(["vfscreen.ingest.scan"])
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent)


def _end_with_parent() -> None:
    # A pool whose process was killed (kill -9, out of memory) would wait for work for ever.
    parent = multiprocessing.parent_process()
    assert parent is not None, "called in a process of a pool"

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
