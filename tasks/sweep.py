"""The tasks of a sweep. See the package's docstring for what belongs here.

Prefect keeps no result of them: what counts is in the lake, and work that is repeated has to look there.
"""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from vfscreen.screening.isolation import call_shard_function, record_lost_study

try:
    from vfscreen.screening.indexing import index_archive
except ModuleNotFoundError:

    def index_archive(*a):
        raise NotImplementedError


index_archive_task = task(index_archive, name="index", cache_policy=NO_CACHE, persist_result=False)

screen_shard_task = task(
    call_shard_function,
    name="screen shard",
    task_run_name="screen shard {shard.shard_id}",
    cache_policy=NO_CACHE,
    persist_result=False,
)

record_lost_study_task = task(record_lost_study, name="record lost study", cache_policy=NO_CACHE, persist_result=False)
