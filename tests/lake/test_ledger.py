"""The account: it adds up, and it notices when it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lake.builders import RELEASE, ended, file_rows, land, manifest_row, put_index
from vfscreen.lake import paths
from vfscreen.lake.ledger import ledger, run_checks
from vfscreen.lake.store import Lake
from vfscreen.lake.views import sql_files
from vfscreen.schema.names import SDI_LEVELS

MANIFEST = [manifest_row(n, s) for n in range(4) for s in range(2)]


@pytest.fixture
def swept(lake: Lake) -> Lake:
    """Four studies of two series: one shard landed with three of them, one study pending."""
    files = file_rows(MANIFEST)
    files += [
        {"path": f"z{n}", "member": "", "size_bytes": 1, "modified": "1", "file_state": state, "reason_code": reason}
        for n, (state, reason) in enumerate(
            [("container", None), ("dicomdir", None), ("unreadable", "header_unreadable"), ("unreadable", "empty_file")]
        )
    ]
    put_index(lake, MANIFEST, files)
    ends = [ended(m) for m in MANIFEST[:5]]
    ends.append(ended(MANIFEST[5], state="rejected", stage="accept", reason_code="localizer"))
    ends[2] = ended(MANIFEST[2], state="failed", stage="decode", reason_code="decode_failed")
    land(lake, "s1", ends)
    return lake


def test_the_account_adds_up(swept: Lake) -> None:
    account = ledger(swept).as_json()
    assert account["reconciles"] is True
    assert account["problems"] == []
    files = {k: v for k, v in account.items() if k.startswith("files_")}
    assert files == {
        "files_seen": 21, "files_instance": 16, "files_not_dicom": 1, "files_dicomdir": 1, "files_container": 1,
        "files_unreadable": 2,
    }  # fmt: skip
    assert [account[k] for k in ("series_seen", "screened", "rejected", "failed", "pending")] == [8, 2, 3, 1, 2]
    assert account["reasons"] == {"decode_failed": 1, "localizer": 1, "not_best_series": 2}
    assert account["file_reasons"] == {"empty_file": 1, "header_unreadable": 1, "not_dicom": 1}


def test_another_release_has_everything_pending(swept: Lake) -> None:
    account = ledger(swept, "another")
    assert (account.pending, account.screened, account.shards, account.reconciles) == (8, 0, 0, True)
    assert ledger(swept, RELEASE).screened == 2


@pytest.mark.parametrize("column", ["series_path", "vertebrae_path"])
def test_a_removed_file_is_noticed_and_its_series_pend(swept: Lake, column: str) -> None:
    swept.store.remove(swept.receipts()[0][column])
    account = ledger(swept)
    assert not account.reconciles
    assert "is gone" in account.problems[0]
    assert account.pending == account.series_seen == 8


@pytest.mark.parametrize("column", ["series_path", "vertebrae_path"])
def test_an_altered_file_is_noticed_and_its_series_pend(swept: Lake, column: str) -> None:
    file = Path(swept.url) / swept.receipts()[0][column]
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    account = ledger(swept)
    assert not account.reconciles
    assert "altered" in account.problems[0]
    assert account.pending == 8


def test_instances_that_are_in_no_series_are_noticed(lake: Lake) -> None:
    put_index(lake, MANIFEST, file_rows(MANIFEST)[1:])
    account = ledger(lake)
    assert not account.reconciles
    assert "15 files are instances but the series hold 16" in account.problems[0]


def test_a_series_twice_in_the_manifest_is_noticed(lake: Lake) -> None:
    put_index(lake, MANIFEST)
    pointer = lake.read_bytes(paths.MANIFEST_POINTER).decode()
    part = paths.manifest_series_part("0")
    lake.store.write_bytes(paths.MANIFEST_POINTER, pointer.replace(f'"{part}"', f'"{part}", "{part}"').encode())
    assert any("manifest_key_unique" in p for p in ledger(lake).problems)


def check_names(lake: Lake) -> set[str]:
    return {f.check for f in run_checks(lake)}


def test_a_sound_lake_passes_every_check(swept: Lake) -> None:
    assert run_checks(swept) == []


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("grade_follows_loss", {"genant_grade": 2}),
        ("grade_follows_loss", {"genant_grade_raw": None}),
        ("raw_loss_follows_heights", {"middle_height_mm": 20.0}),
        ("missing_has_reason", {"genant_grade": None, "height_loss_ratio_adjusted": None}),
        ("missing_has_reason", {"truncated": True}),
        ("probabilities_ordered", {"grade3_probability": 0.99}),
        ("levels_consecutive", {"vertebra_level": "T9"}),
        ("levels_consecutive", {"vertebra_level": "L1"}),
        ("levels_consecutive", {"vertebra_level": "C7"}),
        ("level_unique", {"vertebra_level": "T4"}),
        ("indices_consecutive", {"vertebra_index": 7}),
    ],
)
def test_each_check_of_findings_can_fail(lake: Lake, check: str, change: dict[str, Any]) -> None:
    put_index(lake, MANIFEST[:1])
    series, vertebrae = ended(MANIFEST[0], (0.1, 0.0, 0.0))
    vertebrae[1].update(change)
    series["graded_vertebra_count"] = sum(v["genant_grade"] is not None for v in vertebrae)
    land(lake, "s", [(series, vertebrae)])
    assert check in check_names(lake)


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("summary_follows_vertebrae", {"max_genant_grade": 3}),
        ("vertebra_counts", {"graded_vertebra_count": 1}),
        ("state_has_reason", {"reason_code": "spine_not_found"}),
    ],
)
def test_each_check_of_series_can_fail(lake: Lake, check: str, change: dict[str, Any]) -> None:
    put_index(lake, MANIFEST[:1])
    series, vertebrae = ended(MANIFEST[0])
    land(lake, "s", [({**series, **change}, vertebrae)])
    assert check_names(lake) == {check}


@pytest.mark.parametrize(
    "levels",
    [["C6", "C7", "T1"], ["T11", "L1", "L2"], ["T12", "T13", "L1"], ["L4", "L5", "L6"], ["T5", None, "T7"], [None] * 3],
)
def test_levels_that_anatomy_allows_pass(lake: Lake, levels: list[str | None]) -> None:
    put_index(lake, MANIFEST[:1])
    series, vertebrae = ended(MANIFEST[0], (0.1, 0.1, 0.1))
    for vertebra, level in zip(vertebrae, levels, strict=True):
        vertebra["vertebra_level"] = level
    assessed = [level for level in levels if level in SDI_LEVELS]
    summary = {"sdi_levels_assessed": assessed, "sdi": 0 if assessed else None}
    land(lake, "s", [({**series, **summary}, vertebrae)])
    assert check_names(lake) == set()


@pytest.mark.parametrize("loss", [0.0, 0.19999, 0.2, 0.25, 0.4, 1.0, 1 - 0.8, 1 - 0.75, 1 - 0.6])
def test_borders_pass_the_grade_check(lake: Lake, loss: float) -> None:
    put_index(lake, MANIFEST[:1])
    land(lake, "s", [ended(MANIFEST[0], (loss,))])
    assert check_names(lake) == set()


def test_every_check_says_what_it_asks() -> None:
    for kind in ("accounts", "findings"):
        for _, text in sql_files("vfscreen.lake", f"checks/{kind}"):
            assert text.startswith("-- ")
