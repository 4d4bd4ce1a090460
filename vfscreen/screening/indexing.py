"""Index an archive: list, read what is new, describe and select series, publish the manifest.

Belongs here: the order of the steps and their counts. Does not belong here: how a file is read (ingest), how rows
are stored (lake).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vfscreen import __version__
from vfscreen.errors import FileState
from vfscreen.ingest.identity import Pseudonymiser, load_pseudonymiser, write_mapping
from vfscreen.ingest.scan import read_entries
from vfscreen.ingest.select import select_in_study
from vfscreen.ingest.series import describe_series
from vfscreen.ingest.sources import Archive, Entry
from vfscreen.lake.manifest_writer import IndexWriter
from vfscreen.lake.store import Lake
from vfscreen.schema.tables import FILES, MANIFEST
from vfscreen.settings import Settings


@dataclass(frozen=True)
class IndexProgress:
    """How far an index has come. files_to_read is None until listing has ended."""

    files_listed: int = 0
    files_to_read: int | None = None
    files_read: int = 0
    series: int = 0


@dataclass(frozen=True)
class IndexSummary:
    """What an index found. Counts of files include zip members; `files_unchanged` were not read again.

    reasons: reason code -> number, of files and of series apart. series_selected go into the screening chain.
    """

    archive: str
    lake: str
    files_seen: int
    files_read: int
    files_unchanged: int
    files_not_dicom: int
    files_unreadable: int
    instances: int
    studies: int
    series_seen: int
    series_selected: int
    file_reasons: dict[str, int] = field(default_factory=dict)
    series_reasons: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


def index_archive(
    archive: str,
    lake: str,
    settings: Settings,
    progress: Callable[[IndexProgress], None] | None = None,
    *,
    processes: int | None = None,
) -> IndexSummary:
    """Bring the lake's manifest up to date with the archive; a file whose size and modification are known is not
    read again.

    archive, lake: folders or fsspec URLs; the lake is created where it is absent and left out where it lies inside the
    archive. processes: header readers, by default one a core; 0 reads in this process.
    Raises SiteError (no archive, lake unwritable, disk full) and SettingsError (identity key). A file never raises.
    """
    started = time.monotonic()
    source, pseudonymiser = Archive(archive), load_pseudonymiser(settings.identity, lake)
    location = source.fs.unstrip_protocol(source.root)
    report = progress or (lambda _: None)
    state = IndexProgress()
    with IndexWriter(Lake.create(lake), location, _reader(pseudonymiser), _settings(settings)) as writer:
        entries = ((e.path, e.size_bytes, e.modified, e.problem) for e in source.list(exclude=lake))
        for count in writer.add_listing(entries):
            state = replace(state, files_listed=count)
            report(state)
        unchanged = writer.unchanged_count()
        state = replace(state, files_to_read=writer.listed - unchanged)
        report(state)
        identities: dict[str, tuple[str, str]] = {}
        if state.files_to_read:
            changed = (Entry(*item) for item in writer.changed())
            for batch in read_entries(archive, changed, pseudonymiser, processes):
                writer.add_files(batch.table)
                identities |= batch.identities
                read = sum(1 for member in batch.table.column("member").to_pylist() if not member)
                state = replace(state, files_read=state.files_read + read)
                report(state)
        studies, selected, reasons = 0, 0, dict[str, int]()
        for study in writer.studies():
            rows = _select(study, settings)
            writer.add_series(rows)
            studies += 1
            selected += sum(bool(r["selected"]) for r in rows)
            for row in rows:
                if code := row.get("reason_code"):
                    reasons[code] = reasons.get(code, 0) + 1
            state = replace(state, series=state.series + len(rows))
            report(state)
        states = writer.count_states()
        # the mapping goes first: a pseudonym in the lake that nobody can resolve is worse than one resolved too early
        if settings.identity.mapping_file is not None and identities:
            write_mapping(Path(settings.identity.mapping_file), identities)
        if not writer.is_as_before():
            writer.publish()

    def files(*wanted: FileState) -> int:
        return sum(n for (name, _), n in states.items() if name in wanted)

    return IndexSummary(
        archive=archive,
        lake=lake,
        files_seen=sum(states.values()),
        files_read=state.files_read,
        files_unchanged=unchanged,
        files_not_dicom=files(FileState.NOT_DICOM, FileState.DICOMDIR, FileState.CONTAINER),
        files_unreadable=files(FileState.UNREADABLE),
        instances=files(FileState.INSTANCE),
        studies=studies,
        series_seen=state.series,
        series_selected=selected,
        file_reasons=dict(sorted((r, n) for (_, r), n in states.items() if r)),
        series_reasons=dict(sorted(reasons.items())),
        seconds=round(time.monotonic() - started, 3),
    )


def _select(study: list[list[dict[str, Any]]], settings: Settings) -> list[dict[str, Any]]:
    rows = [describe_series(series, settings.accept, settings.films) for series in study]
    if rows[0]["StudyInstanceUID"]:
        return select_in_study(rows, settings.select)
    # without a StudyInstanceUID series do not belong together, whatever they share: none competes with another
    return [settled for row in rows for settled in select_in_study([row], settings.select)]


def _reader(pseudonymiser: Pseudonymiser) -> str:
    """Names what FILES rows depend on besides the files. The key goes in only as a keyed hash."""
    return f"{__version__}/{FILES.version}/{pseudonymiser.accession('vfscreen reader')}"


def _settings(settings: Settings) -> str:
    """Names what MANIFEST rows depend on besides the FILES rows."""
    sections = (settings.accept, settings.select, settings.films)
    text = "".join(section.model_dump_json() for section in sections) + __version__ + str(MANIFEST.version)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
