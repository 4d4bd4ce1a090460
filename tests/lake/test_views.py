"""Which rows count: receipts only, one a series, for the files as they are, of the newest release."""

from __future__ import annotations

import dataclasses
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.lake.builders import RELEASE, ended, land, manifest_row, put_index, series_uid, study_uid
from vfscreen.errors import LakeError
from vfscreen.lake import paths
from vfscreen.lake.ledger import ledger
from vfscreen.lake.store import Lake
from vfscreen.lake.views import connect, duckdb_type, sql_files
from vfscreen.schema.tables import FILES, MANIFEST, SERIES, VERTEBRAE


def ask(lake: Lake, sql: str, **options: Any) -> list[tuple[Any, ...]]:
    with connect(lake, **options) as connection:
        return connection.execute(sql).fetchall()


def test_an_empty_lake_has_every_view_with_its_columns(lake: Lake) -> None:
    with connect(lake) as connection:
        for table in (FILES, MANIFEST, SERIES, VERTEBRAE):
            described = connection.execute(f"DESCRIBE {table.name}").fetchall()
            types = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
            expected = [(c.name, duckdb_type(c.type)) for c in table.columns]
            assert [(d[0], d[1]) for d in described] == [(n, types.get(t, t)) for n, t in expected]
        views = [r[0] for r in connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()]
        assert {"patients", "studies", "ledger", "series_history", "vertebrae_history"} <= set(views)
        for view in views:
            assert connection.execute(f"SELECT count(*) FROM {view}").fetchone() == (0,)


def test_every_view_file_says_what_it_is() -> None:
    for name, text in sql_files("vfscreen.lake", "views"):
        view = name.split("_", 1)[1]
        assert text.startswith(f"-- {view}: ")
        assert re.search(rf"CREATE (VIEW|TABLE) {view} AS", text)


def test_files_without_a_receipt_do_not_exist(lake: Lake) -> None:
    put_index(lake, [manifest_row(1)])
    receipt = land(lake, "s1", [ended(manifest_row(1))])
    lake.store.remove(paths.receipt_file("s1"))
    assert lake.store.exists(receipt["series_path"])
    assert ask(lake, "FROM series_history") == ask(lake, "FROM vertebrae_history") == ask(lake, "FROM series") == []


def test_overlapping_shards_of_two_sweeps_give_single_rows(lake: Lake) -> None:
    manifest = [manifest_row(n) for n in range(4)]
    put_index(lake, manifest)
    ends = [ended(m) for m in manifest]
    land(lake, "a", ends[:3], run_id="one")
    land(lake, "b", ends[1:], run_id="two")
    assert ask(lake, "SELECT count(*), count(DISTINCT SeriesInstanceUID) FROM series") == [(4, 4)]
    assert ask(lake, "SELECT count(*) FROM vertebrae") == [(8,)]
    assert ask(lake, "SELECT count(*) FROM series_history") == [(6,)]


def test_a_new_release_adds_rows_and_is_the_current_one(lake: Lake) -> None:
    manifest = [manifest_row(1), manifest_row(2)]
    put_index(lake, manifest)
    land(lake, "old", [ended(m, losses=(0.1,)) for m in manifest], release="r1")
    land(lake, "new", [ended(manifest[0], losses=(0.5, 0.5))], release="r2")
    current = "SELECT SeriesInstanceUID, model_release, max_genant_grade FROM series ORDER BY 1"
    assert ask(lake, current) == [(series_uid(1, 0), "r2", 3), (series_uid(2, 0), "r1", 0)]
    assert ask(lake, current, model_release="r1") == [(series_uid(1, 0), "r1", 0), (series_uid(2, 0), "r1", 0)]
    assert ask(lake, "SELECT count(*) FROM series_history") == [(3,)]
    assert ask(lake, "SELECT count(*) FROM vertebrae") == [(3,)]
    # Going on with the older release does not push the newer one aside.
    put_index(lake, [*manifest, manifest_row(3)])
    land(lake, "old-2", [ended(manifest_row(3))], release="r1")
    assert [r[1] for r in ask(lake, current)] == ["r2", "r1", "r1"]


def test_a_new_fingerprint_supersedes(lake: Lake) -> None:
    put_index(lake, [manifest_row(1, fingerprint="f0")])
    land(lake, "a", [ended(manifest_row(1, fingerprint="f0"))])
    changed = manifest_row(1, fingerprint="f1")
    put_index(lake, [changed], name="1")
    assert ask(lake, "FROM series") == []
    assert ask(lake, "SELECT state, series_count FROM ledger") == [("pending", 1)]
    land(lake, "b", [ended(changed, losses=(0.5,))])
    assert ask(lake, "SELECT content_fingerprint, max_genant_grade FROM series") == [("f1", 3)]
    assert ask(lake, "SELECT count(*) FROM vertebrae") == [(1,)]


def test_a_screened_row_wins_over_a_failed_one_whenever_it_landed(lake: Lake) -> None:
    row = manifest_row(1)
    put_index(lake, [row])
    land(lake, "a", [ended(row)])
    land(lake, "b", [ended(row, state="failed", stage="worker", reason_code="worker_died")])
    assert ask(lake, "SELECT state, shard_id FROM series") == [("screened", "a")]


def test_a_selection_that_turned_makes_rows_void_and_turning_back_revives_them(lake: Lake) -> None:
    chosen, other = manifest_row(1, 0), manifest_row(1, 1)
    put_index(lake, [chosen, other])
    land(lake, "a", [ended(chosen), ended(other)])
    left = {"selected": False, "stage": "select", "reason_code": "not_best_series"}
    taken = {"selected": True, "stage": None, "reason_code": None}
    turned = [{**chosen, **left}, {**other, **taken}]
    put_index(lake, turned, name="1")
    assert ask(lake, "FROM series") == []
    land(lake, "b", [ended(m) for m in turned])
    assert ask(lake, "SELECT SeriesInstanceUID, state FROM series ORDER BY 1") == [
        (series_uid(1, 0), "rejected"), (series_uid(1, 1), "screened"),
    ]  # fmt: skip
    put_index(lake, [chosen, other], name="2")
    assert ask(lake, "SELECT shard_id FROM series") == [("a",), ("a",)]


def test_patients_have_their_latest_screened_exam(lake: Lake) -> None:
    dated = [
        manifest_row(1, patient_pseudonym="P", StudyDate="20200101"),
        manifest_row(2, patient_pseudonym="P", StudyDate="20230601"),
        manifest_row(3, patient_pseudonym="P", StudyDate="20240101"),  # never screened
        manifest_row(4, patient_pseudonym="P", StudyDate="not a date"),
        manifest_row(5, patient_pseudonym=None),
        manifest_row(6, patient_pseudonym=None),
    ]
    put_index(lake, dated)
    failed = {"state": "failed", "stage": "decode", "reason_code": "decode_failed"}
    land(lake, "a", [ended(m, **(failed if m["StudyInstanceUID"] == study_uid(3) else {})) for m in dated])
    found = ask(lake, "SELECT patient_key, StudyInstanceUID, exam_count FROM patients ORDER BY 1")
    unnamed = [(f"study {study_uid(n)}", study_uid(n), 1) for n in (5, 6)]
    assert found == [("P", study_uid(2), 3), *unnamed]
    assert ask(lake, f"SELECT study_date FROM studies WHERE StudyInstanceUID = '{study_uid(4)}'") == [(None,)]


def test_studies_carry_the_worst_and_count_their_series(lake: Lake) -> None:
    rows = [manifest_row(1, 0), manifest_row(1, 1, selected=True, stage=None, reason_code=None), manifest_row(1, 2),
            manifest_row(1, 3)]  # fmt: skip
    put_index(lake, rows)
    land(lake, "a", [ended(rows[0], (0.3,)), ended(rows[1], (0.22, 0.22, 0.22)), ended(rows[2])])
    columns = "series_count, screened_count, rejected_count, pending_count, max_genant_grade, sdi, vertebra_count"
    assert ask(lake, f"SELECT {columns} FROM studies") == [(4, 2, 1, 1, 2, 3, 4)]


def test_files_of_an_older_table_version_read_as_null(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard that a former release of this program wrote, when two columns were not declared yet."""
    put_index(lake, [manifest_row(1), manifest_row(2)])
    land(lake, "a", [ended(manifest_row(1))])
    left_out = ("sdi", "overlay_path")
    former = dataclasses.replace(SERIES, columns=tuple(c for c in SERIES.columns if c.name not in left_out))
    series, vertebrae = ended(manifest_row(2))
    with monkeypatch.context() as patch:
        patch.setattr("vfscreen.lake.store.SERIES", former)
        land(lake, "b", [({k: v for k, v in series.items() if k not in left_out}, vertebrae)])
    found = "SELECT sdi, overlay_path, vertebra_count FROM series ORDER BY SeriesInstanceUID"
    assert ask(lake, found) == [(2, None, 2), (None, None, 2)]
    assert ledger(lake).problems == ()


def test_a_shard_that_lost_a_file_is_an_error_unless_allowed(lake: Lake) -> None:
    put_index(lake, [manifest_row(1), manifest_row(2)])
    receipt = land(lake, "a", [ended(manifest_row(1))])
    land(lake, "b", [ended(manifest_row(2))])
    lake.store.remove(receipt["series_path"])
    with pytest.raises(LakeError, match="sweep again"):
        connect(lake)
    assert ask(lake, "SELECT SeriesInstanceUID FROM series", allow_damaged=True) == [(series_uid(2, 0),)]


def test_a_connection_is_a_snapshot(lake: Lake) -> None:
    put_index(lake, [manifest_row(1), manifest_row(2)])
    land(lake, "a", [ended(manifest_row(1))])
    with connect(lake) as connection:
        land(lake, "b", [ended(manifest_row(2))])
        assert connection.execute("SELECT count(*) FROM series").fetchone() == (1,)
    assert ask(lake, "SELECT count(*) FROM series") == [(2,)]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(8)), cuts=st.sets(st.integers(1, 7)), again=st.sets(st.integers(0, 7)))
def test_views_do_not_depend_on_order_or_shards(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], cuts: set[int], again: set[int]
) -> None:
    """Any split of the same series into shards, in any order, some landed twice: the same contents."""
    manifest = [manifest_row(n // 2, n % 2) for n in range(8)]
    ends = [ended(m, (0.1, 0.05 * n)) for n, m in enumerate(manifest)]
    contents = []
    borders = [0, *sorted(cuts), 8]
    splits = [order[a:b] for a, b in pairwise(borders)]
    for shards in ([list(range(8))], [*splits, sorted(again)]):
        lake = Lake.create(tmp_path_factory.mktemp("lake"))
        put_index(lake, manifest)
        for number, shard in enumerate(shards):
            if shard:
                land(lake, f"s{number}", [ends[n] for n in shard])
        views = ("series", "vertebrae", "studies", "patients", "ledger")
        with connect(lake) as c:
            contents.append([
                c.execute(f"SELECT * {'EXCLUDE (shard_id)' if v in views[:2] else ''} FROM {v} ORDER BY ALL").fetchall()
                for v in views
            ])  # fmt: skip
    assert contents[0] == contents[1]
    assert len(contents[0][0]) == 8
    assert RELEASE in contents[0][0][0]
