"""The manifest's storage on its own: pointer, replacement, streaming; `screening.indexing`'s tests run it whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from vfscreen.errors import LakeError
from vfscreen.lake import manifest_writer, paths
from vfscreen.lake.manifest import Pointer, files_of_series, read_pointer
from vfscreen.lake.manifest_writer import IndexWriter
from vfscreen.lake.store import Lake
from vfscreen.schema.tables import FILES, MANIFEST


def file_row(path: str, study: str = "1", series: str = "1.1", state: str = "instance") -> dict[str, Any]:
    return {
        "path": path,
        "member": "",
        "size_bytes": 7,
        "modified": "m",
        "file_state": state,
        "StudyInstanceUID": study,
        "SeriesInstanceUID": series,
        "PixelSpacing_mm": [1.0, 2.0],
    }


def listing(rows: list[dict[str, Any]]) -> list[tuple[str, int, str, str | None]]:
    return [(r["path"], r["size_bytes"], r["modified"], None) for r in rows]


def write_index(lake: Lake, rows: list[dict[str, Any]], reader: str = "r", settings: str = "s") -> list[str]:
    """Indexes `rows`; the paths that had to be read."""
    by_path = {r["path"]: r for r in rows}
    with IndexWriter(lake, "file:///a", reader, settings) as writer:
        list(writer.add_listing(listing(rows)))
        read = [path for path, *_ in writer.changed()]
        for path in read:
            writer.add_files(FILES.to_arrow([by_path[path]]))
        for study in writer.studies():
            writer.add_series(
                [
                    {
                        "StudyInstanceUID": s[0]["StudyInstanceUID"],
                        "SeriesInstanceUID": s[0]["SeriesInstanceUID"],
                        "content_fingerprint": "f",
                        "instance_count": len(s),
                        "selected": True,
                    }
                    for s in study
                ]
            )
        writer.publish()
    return read


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.create(str(tmp_path / "lake"))


def stored(lake: Lake, parts: tuple[str, ...]) -> list[dict[str, Any]]:
    return [r for p in parts for r in pq.read_table(lake.store.full(p)).to_pylist()]


def test_an_empty_lake_has_an_empty_index(lake: Lake) -> None:
    assert read_pointer(lake) == Pointer()
    assert files_of_series(lake, [("1", "1.1")]) == {("1", "1.1"): []}


def test_rows_come_back_sorted_by_study_and_series(lake: Lake) -> None:
    rows = [file_row(f"{n:02d}", str(n % 3), f"{n % 3}.{n % 2}") for n in range(12)] + [
        file_row("junk", state="not_dicom") | {"SeriesInstanceUID": None, "StudyInstanceUID": None}
    ]
    write_index(lake, rows)
    pointer = read_pointer(lake)
    files = stored(lake, pointer.files)
    assert [r["path"] for r in files] == [
        r["path"] for r in sorted(rows[:-1], key=lambda r: (r["StudyInstanceUID"], r["SeriesInstanceUID"], r["path"]))
    ] + ["junk"]
    assert files[0]["PixelSpacing_mm"] == [1.0, 2.0]
    assert sum(r["instance_count"] for r in stored(lake, pointer.series)) == 12
    schema = pq.read_schema(lake.store.full(pointer.files[0]))
    assert schema.equals(FILES.arrow_schema) and schema.metadata[b"vfscreen.table"] == b"files"
    assert pq.read_schema(lake.store.full(pointer.series[0])).equals(MANIFEST.arrow_schema)


def test_large_indexes_go_into_several_parts(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest_writer, "_PART_ROWS", 10)
    monkeypatch.setattr(manifest_writer, "_BATCH_ROWS", 4)
    rows = [file_row(f"{n:03d}", str(n % 7), f"{n % 7}.1") for n in range(100)]
    write_index(lake, rows)
    pointer = read_pointer(lake)
    assert len(pointer.files) > 5
    assert sorted(r["path"] for r in stored(lake, pointer.files)) == [r["path"] for r in rows]
    assert len(files_of_series(lake, [("3", "3.1")])["3", "3.1"]) == 14
    assert write_index(lake, rows[:50]) == []
    assert len(stored(lake, read_pointer(lake).files)) == 50


@pytest.mark.parametrize(("reader", "settings", "read"), [("r", "other", 0), ("other", "s", 5)])
def test_another_reader_reads_all_again_other_settings_do_not(
    lake: Lake, reader: str, settings: str, read: int
) -> None:
    rows = [file_row(str(n)) for n in range(5)]
    assert len(write_index(lake, rows)) == 5
    assert len(write_index(lake, rows, reader, settings)) == read


def test_an_unpublished_index_leaves_nothing(lake: Lake) -> None:
    rows = [file_row("1")]
    write_index(lake, rows)
    before = sorted(str(p) for p in Path(lake.store.root).rglob("*"))
    with pytest.raises(RuntimeError, match="power"), IndexWriter(lake, "file:///a", "r", "s") as writer:
        list(writer.add_listing(listing([*rows, file_row("2")])))
        raise RuntimeError("power cut")
    assert sorted(str(p) for p in Path(lake.store.root).rglob("*")) == before


def test_a_damaged_pointer_is_named(lake: Lake) -> None:
    lake.store.write_bytes(paths.MANIFEST_POINTER, b'{"files": 3}')
    with pytest.raises(LakeError, match=r"CURRENT\.json"):
        read_pointer(lake)
