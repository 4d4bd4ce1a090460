"""The index of an archive: whole, incremental, the same in any order, and without a patient's name in it."""

from __future__ import annotations

import os
import threading
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.dicom_builder import SeriesSpec, affine, body, instance, write, write_series
from vfscreen.errors import SettingsError, SiteError
from vfscreen.ingest.decode import read_volume
from vfscreen.ingest.identity import KEY_ENVIRONMENT, Pseudonymiser
from vfscreen.lake.manifest import archive_of, files_of_series, read_pointer
from vfscreen.lake.store import Lake
from vfscreen.lake.views import connect
from vfscreen.schema.tables import FILES, MANIFEST
from vfscreen.screening.indexing import IndexProgress, IndexSummary, index_archive
from vfscreen.settings import Settings

KEY = "a key for tests, 16+ bytes"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_ENVIRONMENT, KEY)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two studies: a thin and a thick series of one patient, and a zip file with another; junk between."""
    folder = tmp_path / "archive"
    thin = SeriesSpec(study_uid="1.2.1", series_uid="1.2.1.1")
    thick = SeriesSpec(study_uid="1.2.1", series_uid="1.2.1.2", frame_of_reference_uid=thin.frame_of_reference_uid)
    write_series(folder / "a" / "thin", thin, body((30, 40, 48)), affine((3, 3, 2.0)))
    write_series(folder / "a" / "thick", thick, body(), affine((3, 3, 5.0)))
    zipped = write_series(tmp_path / "z", SeriesSpec(study_uid="1.2.2", series_uid="1.2.2.1"), body(), affine())
    with zipfile.ZipFile(folder / "z.zip", "w") as container:
        for file in zipped:
            container.write(file, file.name)
    (folder / "notes.txt").write_text("hello")
    (folder / "empty").touch()
    return folder


def index(archive: Path | str, lake: Path | str, **settings: Any) -> IndexSummary:
    return index_archive(str(archive), str(lake), Settings(**settings), processes=0)


def rows(lake: Path | str, view: str) -> list[dict[str, Any]]:
    with connect(Lake.open(str(lake))) as connection:
        found = connection.execute(f"SELECT * FROM {view}").to_arrow_table().to_pylist()
    keys = (FILES if view == "files" else MANIFEST).key
    return sorted(found, key=lambda r: [r[k] for k in keys])


def test_every_file_and_series_is_counted(archive: Path, tmp_path: Path) -> None:
    seen: list[IndexProgress] = []
    summary = index_archive(str(archive), str(tmp_path / "lake"), Settings(), seen.append, processes=0)
    assert (summary.files_seen, summary.files_read, summary.instances) == (30 + 12 + 1 + 12 + 2, 45, 54)
    assert (summary.files_not_dicom, summary.files_unreadable) == (2, 1)
    assert summary.files_seen == summary.instances + summary.files_not_dicom + summary.files_unreadable
    assert (summary.studies, summary.series_seen, summary.series_selected) == (2, 3, 2)
    assert summary.file_reasons == {"empty_file": 1, "not_dicom": 1}
    assert summary.series_reasons == {"not_best_series": 1}
    assert seen[-1] == IndexProgress(45, 45, 45, 3)
    assert len(rows(tmp_path / "lake", "files")) == summary.files_seen
    by_uid = {r["SeriesInstanceUID"]: r for r in rows(tmp_path / "lake", "manifest")}
    assert {u: r["selected"] for u, r in by_uid.items()} == {"1.2.1.1": True, "1.2.1.2": False, "1.2.2.1": True}
    assert "1.2.1.1" in by_uid["1.2.1.2"]["message"]


def test_an_unchanged_archive_is_not_read_twice(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = tmp_path / "lake"
    first = index(archive, lake)
    before, pointer = rows(lake, "files"), read_pointer(Lake.open(str(lake)))
    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", lambda *_: pytest.fail("a file was read"))
        again = index(archive, lake)
    assert (again.files_read, again.files_unchanged) == (0, 45)
    assert again.series_seen == first.series_seen and again.files_seen == first.files_seen
    assert rows(lake, "files") == before
    assert read_pointer(Lake.open(str(lake))) == pointer


def test_only_what_changed_is_read(archive: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    index(archive, lake)
    spec = SeriesSpec(study_uid="1.2.1", series_uid="1.2.1.3")
    write_series(archive / "new", spec, body(), affine())
    (archive / "notes.txt").write_text("hello again")
    (archive / "empty").unlink()
    os.utime(next((archive / "a" / "thick").iterdir()))
    for file in sorted((archive / "a" / "thin").iterdir())[:3]:
        file.unlink()
    summary = index(archive, lake)
    assert (summary.files_read, summary.series_seen, summary.files_unreadable) == (12 + 1 + 1, 4, 0)
    fresh = index(archive, tmp_path / "fresh")
    assert rows(lake, "files") == rows(tmp_path / "fresh", "files")
    assert rows(lake, "manifest") == rows(tmp_path / "fresh", "manifest")
    assert summary.series_reasons == fresh.series_reasons
    (archive / "z.zip").unlink()
    assert index(archive, lake).studies == 1


def test_processes_and_names_of_folders_do_not_change_the_series(archive: Path, tmp_path: Path) -> None:
    index(archive, tmp_path / "one")
    index_archive(str(archive), str(tmp_path / "two"), Settings(), processes=2)
    assert rows(tmp_path / "one", "manifest") == rows(tmp_path / "two", "manifest")
    assert rows(tmp_path / "one", "files") == rows(tmp_path / "two", "files")
    (archive / "a").rename(archive / "zz")
    index(archive, tmp_path / "three")
    moved = rows(tmp_path / "three", "manifest")
    for a, b in zip(rows(tmp_path / "one", "manifest"), moved, strict=True):
        changed = {k for k in a if a[k] != b[k]}
        assert changed <= {"content_fingerprint"}


def test_no_identity_reaches_the_lake(archive: Path, tmp_path: Path) -> None:
    mapping = tmp_path / "private" / "mapping.csv"
    index(archive, tmp_path / "lake", identity={"mapping_file": mapping})
    secrets = (b"SECRET-ID-4711", b"Geheim", b"ACC-SECRET-99", b"19500301", KEY.encode())
    pseudonym = Pseudonymiser(KEY.encode()).patient("SECRET-ID-4711", None)
    for file in (p for p in (tmp_path / "lake").rglob("*") if p.is_file()):
        assert not [s for s in secrets if s in file.read_bytes()], file
    # compressed pages hide text from a search of bytes: every value is looked at too
    for view in ("files", "manifest"):
        text = repr(rows(tmp_path / "lake", view)).encode()
        assert not [s for s in secrets if s in text]
    assert {r["patient_pseudonym"] for r in rows(tmp_path / "lake", "manifest")} == {pseudonym}
    assert "SECRET-ID-4711" in mapping.read_text() and mapping.stat().st_mode & 0o777 == 0o600


def test_another_key_reads_all_again(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index(archive, tmp_path / "lake")
    monkeypatch.setenv(KEY_ENVIRONMENT, "another key of 16+ bytes")
    assert index(archive, tmp_path / "lake").files_read == 45
    pseudonym = Pseudonymiser(b"another key of 16+ bytes").patient("SECRET-ID-4711", None)
    assert {r["patient_pseudonym"] for r in rows(tmp_path / "lake", "manifest")} == {pseudonym}


def test_other_settings_settle_series_anew_without_reading(archive: Path, tmp_path: Path) -> None:
    index(archive, tmp_path / "lake")
    summary = index(archive, tmp_path / "lake", accept={"slice_count_min": 20})
    assert summary.files_read == 0
    assert summary.series_reasons == {"too_few_slices": 2}
    assert sum(r["selected"] for r in rows(tmp_path / "lake", "manifest")) == 1


def test_the_files_of_a_series_come_back_for_reading(archive: Path, tmp_path: Path) -> None:
    index(archive, tmp_path / "lake")
    lake = Lake.open(str(tmp_path / "lake"))
    wanted = [("1.2.2", "1.2.2.1"), ("1.2.1", "1.2.1.1"), ("1.2.1", "nothing")]
    found = files_of_series(lake, wanted)
    assert {k: len(v) for k, v in found.items()} == {wanted[0]: 12, wanted[1]: 30, wanted[2]: 0}
    assert found[wanted[0]][0]["path"] == "z.zip" and found[wanted[0]][0]["member"]
    source = archive_of(lake)
    assert source == f"file://{archive}"
    volume = read_volume(source, found[wanted[0]])
    np.testing.assert_array_equal(volume.hu, body())
    assert set(found[wanted[1]][0]) == set(FILES.by_name)


def test_series_without_a_study_do_not_compete(tmp_path: Path) -> None:
    for n in range(3):
        spec = SeriesSpec(series_uid=f"1.9.{n}").with_header(StudyInstanceUID=None)
        write_series(tmp_path / "archive" / str(n), spec, body(), affine())
    summary = index(tmp_path / "archive", tmp_path / "lake")
    assert summary.series_selected == summary.series_seen == 3


def test_two_indexers_at_once_leave_one_whole_index(archive: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    errors: list[BaseException] = []

    def work() -> None:
        try:
            index(archive, lake)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    index(archive, tmp_path / "alone")
    assert rows(lake, "files") == rows(tmp_path / "alone", "files")
    assert rows(lake, "manifest") == rows(tmp_path / "alone", "manifest")


def test_parts_of_former_indexes_do_not_pile_up(archive: Path, tmp_path: Path) -> None:
    for n in range(5):
        (archive / "notes.txt").write_text("x" * n)
        index(archive, tmp_path / "lake")
    assert len(list((tmp_path / "lake" / "manifest").rglob("*.parquet"))) == 4


def test_an_archive_in_an_object_store(archive: Path, tmp_path: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    for path in (p for p in archive.rglob("*") if p.is_file()):
        memory.pipe_file(f"/indexed/{path.relative_to(archive)}", path.read_bytes())
    summary = index("memory://indexed", tmp_path / "lake")
    assert (summary.files_seen, summary.series_selected) == (57, 2)
    assert index("memory://indexed", tmp_path / "lake").files_read == 0
    found = files_of_series(Lake.open(str(tmp_path / "lake")), [("1.2.2", "1.2.2.1")])
    volume = read_volume("memory://indexed", found["1.2.2", "1.2.2.1"])
    np.testing.assert_array_equal(volume.hu, body())


def test_no_archive_is_an_error_of_the_site(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="no archive"):
        index(tmp_path / "nothing", tmp_path / "lake")


def test_a_key_inside_the_lake_is_refused(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_ENVIRONMENT)
    with pytest.raises(SettingsError, match="inside the lake"):
        index(archive, tmp_path / "lake", identity={"key_file": tmp_path / "lake" / "key"})


def test_an_unreachable_file_is_tried_again(tmp_path: Path) -> None:
    spec, folder = SeriesSpec(), tmp_path / "archive"
    write(spec, instance(spec, body(), affine(), 0), tmp_path / "target")
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "later")
    assert index(folder, tmp_path / "lake").file_reasons == {"file_unreadable": 1}
    (tmp_path / "target").rename(tmp_path / "later")
    assert index(folder, tmp_path / "lake").instances == 1


def test_real_files_reconcile(shared_data: Path, tmp_path: Path) -> None:
    summary = index(shared_data / "dicom", tmp_path / "lake")
    files = sum(1 for p in (shared_data / "dicom").rglob("*") if p.is_file())
    assert summary.files_seen == files
    assert summary.files_seen == summary.instances + summary.files_not_dicom + summary.files_unreadable
    manifest = rows(tmp_path / "lake", "manifest")
    assert sum(r["instance_count"] for r in manifest) == summary.instances
    reasons = Counter(r["reason_code"] for r in manifest if r["reason_code"])
    assert dict(sorted(reasons.items())) == summary.series_reasons
    assert sum(reasons.values()) + summary.series_selected == summary.series_seen
