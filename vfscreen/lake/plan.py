"""What is left to do, cut into shards.

Belongs here: which studies are pending, and deterministic shards of them. Does not belong here: doing them
(`screening.shard`), handing them out (flows).

**What counts as done.** A series of the current manifest is done for a release when the view `series`, restricted to
that release, has a row for it: a row of a shard with a receipt, made from the files as they are now (same
content_fingerprint), that agrees with the index about whether the series is to be screened at all. (So stages `scan`,
`accept` and `select` are the index's: what decoding or the chain finds carries stage `read` or later, or the series
would stay pending.) A rejected or
failed series is done like a screened one; failed ones are taken up again only with `retry_failed`. A study is pending
when one of its series is not done, and it is then planned whole, with all its series, those left out by their headers
included: so every manifest row ends up in `series`, and the choice between a study's series is made in one place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from vfscreen.lake.store import Lake
from vfscreen.lake.views import connect

SeriesKey = tuple[str, str, str]
_FETCH_ROWS = 10_000


@dataclass(frozen=True)
class Shard:
    """Studies that land together.

    shard_id: the same for the same work (release, series, fingerprints, selection), whoever plans it and whenever.
    series: (StudyInstanceUID, SeriesInstanceUID, content_fingerprint) of every series of its studies, sorted.
    """

    shard_id: str
    series: tuple[SeriesKey, ...]

    @property
    def studies(self) -> tuple[str, ...]:
        """StudyInstanceUIDs of the shard, sorted."""
        return tuple(dict.fromkeys(study for study, _, _ in self.series))


@dataclass(frozen=True)
class PendingStudy:
    """A study to be done: its series, and for each what the shard's identity depends on besides its key."""

    StudyInstanceUID: str
    series: tuple[SeriesKey, ...]
    circumstances: tuple[str, ...]


def pending_studies(
    lake: Lake, model_release: str, *, retry_failed: bool = False, limit: int | None = None
) -> Iterator[PendingStudy]:
    """Pending studies by StudyInstanceUID, at most `limit` of them, streamed: memory does not grow with their number.

    retry_failed: take up studies with a failed series again.
    """
    with connect(lake, model_release, allow_damaged=True) as connection:
        yield from _pending(connection, retry_failed, limit)


def iter_shards(
    lake: Lake,
    model_release: str,
    *,
    shard_studies: int = 64,
    retry_failed: bool = False,
    limit: int | None = None,
) -> Iterator[Shard]:
    """Pending studies in contiguous runs of `shard_studies`, one shard at a time. Arguments as `pending_studies`."""
    if shard_studies < 1:
        raise ValueError(f"a shard holds at least one study, not {shard_studies}")
    studies: list[PendingStudy] = []
    for study in pending_studies(lake, model_release, retry_failed=retry_failed, limit=limit):
        studies.append(study)
        if len(studies) == shard_studies:
            yield _shard(model_release, studies)
            studies = []
    if studies:
        yield _shard(model_release, studies)


def plan_shards(
    lake: Lake,
    model_release: str,
    *,
    shard_studies: int = 64,
    retry_failed: bool = False,
    limit: int | None = None,
) -> list[Shard]:
    """All shards of `iter_shards` at once."""
    return list(iter_shards(lake, model_release, shard_studies=shard_studies, retry_failed=retry_failed, limit=limit))


def single_study_shards(model_release: str, shard: Shard) -> list[Shard]:
    """The shard cut into one shard a study, to find the study that kills its worker."""
    by_study: dict[str, list[SeriesKey]] = {}
    for key in shard.series:
        by_study.setdefault(key[0], []).append(key)
    return [Shard(_digest(model_release, keys, [shard.shard_id]), tuple(keys)) for keys in by_study.values()]


def _pending(connection: duckdb.DuckDBPyConnection, retry_failed: bool, limit: int | None) -> Iterator[PendingStudy]:
    # A retry depends on which shards hold the failures, so that its shards differ from those that failed, and two
    # sweeps that retry at once still plan the same ones.
    connection.execute(
        """
        WITH standing AS (
            SELECT m.StudyInstanceUID, m.SeriesInstanceUID, m.content_fingerprint,
                   m.selected, m.reason_code, s.state, s.shard_id
            FROM stored_manifest AS m LEFT JOIN series AS s USING (StudyInstanceUID, SeriesInstanceUID)
        ),
        open_studies AS (
            SELECT StudyInstanceUID
            FROM standing
            GROUP BY StudyInstanceUID
            HAVING bool_or(state IS NULL) OR ($retry_failed AND bool_or(state = 'failed'))
            ORDER BY StudyInstanceUID
            LIMIT $maximum
        )
        SELECT StudyInstanceUID, SeriesInstanceUID, content_fingerprint,
               concat_ws(' ', selected, coalesce(reason_code, ''),
                         CASE WHEN $retry_failed AND state = 'failed' THEN shard_id END)
        FROM standing SEMI JOIN open_studies USING (StudyInstanceUID)
        ORDER BY StudyInstanceUID, SeriesInstanceUID
        """,
        {"retry_failed": retry_failed, "maximum": limit if limit is not None else 2**62},
    )
    study: str | None = None
    keys: list[SeriesKey] = []
    circumstances: list[str] = []
    while rows := connection.fetchmany(_FETCH_ROWS):
        for uid, series, fingerprint, circumstance in rows:
            if study is not None and uid != study:
                yield PendingStudy(study, tuple(keys), tuple(circumstances))
                keys, circumstances = [], []
            study = uid
            keys.append((uid, series, fingerprint))
            circumstances.append(circumstance)
    if study is not None:
        yield PendingStudy(study, tuple(keys), tuple(circumstances))


def _shard(model_release: str, studies: list[PendingStudy]) -> Shard:
    keys = [key for study in studies for key in study.series]
    return Shard(_digest(model_release, keys, [c for study in studies for c in study.circumstances]), tuple(keys))


def _digest(model_release: str, keys: list[SeriesKey], circumstances: list[str]) -> str:
    digest = hashlib.sha256(model_release.encode())
    for part in (*(p for key in keys for p in key), "", *circumstances):
        digest.update(b"\0" + part.encode())
    return digest.hexdigest()[:32]
