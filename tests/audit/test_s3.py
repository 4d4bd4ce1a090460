"""The site's tables on a real S3 server: the same audit as from a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import s3fs

from tests.audit.builders import AuditSite
from tests.s3_server import S3Server
from vfscreen.audit.inputs import AuditInputError
from vfscreen.audit.run import AuditResult

GIVEN = ("reports", "codes", "treatments", "dxa")


@pytest.fixture(scope="module")
def bucket(s3_server: S3Server) -> str:
    return s3_server.new_bucket("audit-inputs")


def test_the_same_bytes_from_s3_as_from_a_folder(
    run: Callable[..., AuditResult], site: AuditSite, bucket: str, tmp_path: Path
) -> None:
    fs = s3fs.S3FileSystem()
    for name in GIVEN:
        fs.put_file(str(site.folder / f"{name}.csv"), f"{bucket}/site/{name}.csv")
    near = run(**{name: str(site.folder / f"{name}.csv") for name in GIVEN[1:]})
    far = run(
        reports=(f"{bucket}/site/reports.csv",),
        out=tmp_path / "far",
        **{name: f"{bucket}/site/{name}.csv" for name in GIVEN[1:]},
    )
    assert far.folder.name == near.folder.name and not far.reused
    for path in near.folder.iterdir():
        assert path.read_bytes() == (far.folder / path.name).read_bytes()
    assert far.summary["care_tables"]["coded"]["used"] > 0


def test_parquet_and_compressed_csv_are_read_from_s3(
    run: Callable[..., AuditResult], site: AuditSite, bucket: str
) -> None:
    fs = s3fs.S3FileSystem()
    whole = pa_csv.read_csv(
        site.reports, convert_options=pa_csv.ConvertOptions(column_types={"accession": pa.string()})
    )
    half = whole.num_rows // 2
    with fs.open(f"{bucket}/parts/a.parquet", "wb") as file:
        pq.write_table(whole.slice(0, half), file)
    with fs.open(f"{bucket}/parts/b.csv.gz", "wb", compression="gzip") as file:
        pa_csv.write_csv(whole.slice(half), file)
    result = run(reports=(f"{bucket}/parts/a.parquet", f"{bucket}/parts/b.csv.gz"))
    assert result.summary["reports"]["rows"] == site.truth.rows
    assert result.summary["missed_rates"] == run().summary["missed_rates"]


@pytest.mark.slow
def test_a_lake_on_s3_is_audited_like_one_in_a_folder(
    run: Callable[..., AuditResult], site: AuditSite, bucket: str, tmp_path: Path
) -> None:
    s3fs.S3FileSystem().put(site.lake, f"{bucket}/lake", recursive=True)
    far = run(lake=f"{bucket}/lake", out=tmp_path / "far")
    near = run()
    assert far.folder.name == near.folder.name
    assert far.summary == near.summary


def test_an_absent_table_is_named_with_its_url(run: Callable[..., AuditResult], site: AuditSite, bucket: str) -> None:
    with pytest.raises(AuditInputError, match=r"s3://.*nothing\.csv cannot be read"):
        run(reports=(f"{bucket}/nothing.csv",))
    with pytest.raises(AuditInputError, match=r"codes.*cannot be read"):
        run(codes=f"{bucket}/codes-that-are-not-there.csv")
