"""Every file of an archive ends as exactly one row, whatever it is, and none can end the scan."""

from __future__ import annotations

import os
import socket
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydicom.fileset import FileSet

from tests.dicom_builder import SeriesSpec, affine, body, instance, write, write_series
from tests.ingest.helpers import KEY, scan
from vfscreen.errors import SiteError
from vfscreen.ingest.identity import Pseudonymiser
from vfscreen.ingest.scan import Batch, read_batch, read_entries
from vfscreen.ingest.sources import Archive, Entry


def states(folder: Path | str) -> dict[str, tuple[str, str | None]]:
    return {f"{r['path']}#{r['member']}".rstrip("#"): (r["file_state"], r["reason_code"]) for r in scan(folder)}


def test_junk_ends_with_a_reason(tmp_path: Path) -> None:
    spec = SeriesSpec()
    write(spec, instance(spec, body(), affine(), 0), tmp_path / "a" / "b" / "no-extension")
    no_series = spec.with_header(SeriesInstanceUID=None)
    write(no_series, instance(no_series, body(), affine(), 1), tmp_path / "no-series")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "short").write_bytes(b"\x08\x00")
    (tmp_path / "text.txt").write_text("DICM is not at byte 128 here" * 10)
    (tmp_path / "noise").write_bytes(os.urandom(70_000))
    (tmp_path / "starts-like-one").write_bytes(b"\x08\x00\x05\x00CS\x0a\x00" + b"\xff" * 500)
    (tmp_path / "only-magic").write_bytes(b"\0" * 128 + b"DICM")
    assert states(tmp_path) == {
        "a/b/no-extension": ("instance", None),
        "no-series": ("unreadable", "series_uid_missing"),
        "empty": ("unreadable", "empty_file"),
        "short": ("not_dicom", "not_dicom"),
        "text.txt": ("not_dicom", "not_dicom"),
        "noise": ("not_dicom", "not_dicom"),
        "starts-like-one": ("not_dicom", "not_dicom"),
        "only-magic": ("unreadable", "header_unreadable"),
    }


def test_zip_members_have_rows(tmp_path: Path) -> None:
    files = write_series(tmp_path / "loose", SeriesSpec(), body(), affine(), range(3))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number, file in enumerate(files):
            archive.write(file, f"x/{number}")
            file.unlink()
        archive.writestr("readme.txt", "hello")
        archive.writestr("inner.zip", b"PK\x03\x04" + b"\0" * 40)
    (tmp_path / "broken.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:-30])
    data = bytearray((tmp_path / "a.zip").read_bytes())
    at = data.index(b"x/1") + 60
    data[at : at + 200] = b"\x55" * 200
    (tmp_path / "flipped.zip").write_bytes(data)
    found = states(tmp_path)
    assert found["a.zip"] == ("container", None)
    assert [found[f"a.zip#x/{n}"] for n in range(3)] == [("instance", None)] * 3
    assert found["a.zip#readme.txt"] == ("not_dicom", "not_dicom")
    assert found["a.zip#inner.zip"] == ("unreadable", "zip_unreadable")
    assert found["broken.zip"] == ("unreadable", "zip_unreadable")
    assert found["flipped.zip#x/1"][0] == "unreadable"
    assert found["flipped.zip#x/0"] == ("instance", None)


def test_encrypted_zip_member(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x", b"secret" * 100)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[6] |= 1  # local header's flags
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    assert states(tmp_path)["a.zip#x"] == ("unreadable", "zip_member_encrypted")


def test_media_directory_counts_missing_files(tmp_path: Path) -> None:
    files = FileSet()
    for k in range(4):
        spec = SeriesSpec(study_uid="1.2.3", series_uid="1.2.3.4").with_header(StudyTime="101010", StudyID="7")
        files.add(instance(spec, body(), affine(), k))
    files.write(tmp_path / "media")
    named = sorted(p for p in (tmp_path / "media").rglob("*") if p.is_file() and p.name != "DICOMDIR")
    named[0].unlink()
    rows = scan(tmp_path)
    directory = next(r for r in rows if r["path"].endswith("DICOMDIR"))
    assert directory["file_state"] == "dicomdir"
    assert directory["message"] == "media directory naming 4 files, 1 of them missing"
    assert Counter(r["file_state"] for r in rows) == {"instance": 3, "dicomdir": 1}


def test_links_pipes_and_odd_names(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    write_series(archive / "ct", SeriesSpec(), body(), affine(), range(2))
    (archive / "loop").symlink_to(archive)
    (archive / "dangling").symlink_to(tmp_path / "nowhere")
    (archive / "fünf 脊椎").write_bytes(b"x")
    os.mkfifo(archive / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(archive / "socket"))
        Path(os.fsdecode(os.fsencode(archive) + b"/bad-\xff")).write_bytes(b"x")
        found = states(archive)
    assert Counter(found.values()) == {
        ("instance", None): 2,
        ("unreadable", "file_unreadable"): 4,
        ("not_dicom", "not_dicom"): 1,
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_forbidden_files_and_folders_are_counted(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0)
    (tmp_path / "file").touch(mode=0)
    try:
        assert states(tmp_path) == dict.fromkeys(("locked", "file"), ("unreadable", "file_unreadable"))
    finally:
        (tmp_path / "locked").chmod(0o700)


def test_the_lake_inside_the_archive_is_left_out(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", SeriesSpec(), body(), affine(), range(2))
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "x").write_bytes(b"x")
    listed = [e.path for e in Archive(str(tmp_path)).list(exclude=str(tmp_path / "lake"))]
    assert len(listed) == 2 and all(p.startswith("ct/") for p in listed)


@pytest.mark.parametrize("url", ["{0}/nothing", "memory://nothing/here"])
def test_an_absent_archive_is_an_error_of_the_site(tmp_path: Path, url: str) -> None:
    with pytest.raises(SiteError, match="there is no archive"):
        list(Archive(url.format(tmp_path)).list())


def test_remote_archives_are_scanned_alike(tmp_path: Path) -> None:
    import fsspec

    write_series(tmp_path / "ct", SeriesSpec(), body(), affine(), range(4))
    (tmp_path / "notes.txt").write_text("hello")
    memory = fsspec.filesystem("memory")
    for path in (p for p in tmp_path.rglob("*") if p.is_file()):
        memory.pipe_file(f"/scan/{path.relative_to(tmp_path)}", path.read_bytes())
    local, remote = scan(tmp_path), scan("memory://scan")
    for a, b in zip(local, remote, strict=True):
        assert {**a, "modified": ""} == {**b, "modified": ""}


def read_or_die(url: str, entries: Sequence[Entry], pseudonymiser: Pseudonymiser | None) -> Batch:
    """A reader whose process ends at a file called poison."""
    if any(e.path.endswith("poison") for e in entries):
        os._exit(9)
    return read_batch(url, entries, pseudonymiser)


def test_a_file_that_kills_its_reader_is_unreadable_and_others_go_on(tmp_path: Path) -> None:
    files = write_series(tmp_path, SeriesSpec(), body(), affine())
    files[5].rename(tmp_path / "poison")
    batches = read_entries(str(tmp_path), Archive(str(tmp_path)).list(), Pseudonymiser(KEY), 2, read_or_die)
    rows = [r for b in batches for r in b.table.to_pylist()]
    assert Counter(r["file_state"] for r in rows) == {"instance": 11, "unreadable": 1}
    (dead,) = [r for r in rows if r["file_state"] == "unreadable"]
    assert dead["path"] == "poison" and dead["message"] == "the process that read the file died"


def test_processes_change_nothing(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", SeriesSpec(), body(), affine())
    (tmp_path / "junk").write_bytes(b"x")
    url = str(tmp_path)
    batches = read_entries(url, Archive(url).list(), Pseudonymiser(KEY), processes=2)
    rows = sorted((r for b in batches for r in b.table.to_pylist()), key=lambda r: (r["path"], r["member"]))
    assert rows == scan(tmp_path)


def test_every_real_file_is_accounted_for(shared_data: Path) -> None:
    folder = shared_data / "dicom"
    rows = scan(folder)
    paths = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert {r["path"] for r in rows} == paths
    assert len(rows) == len({(r["path"], r["member"]) for r in rows})
    for row in rows:
        assert (row["reason_code"] is None) == (row["file_state"] in ("instance", "dicomdir", "container")), row
        assert (row["SeriesInstanceUID"] is not None) >= (row["file_state"] == "instance")
