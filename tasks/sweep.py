"""The tasks of a sweep. See the package's docstring for what belongs here.

Prefect keeps no result of them: what counts is in the lake, and work that is repeated has to look there.
"""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from vfscreen.screening.indexing import index_archive
from vfscreen.screening.isolation import call_shard_function, record_lost_study

index_archive_task = task(name="index", cache_policy=NO_CACHE, persist_result=False)(index_archive)

screen_shard_task = task(
    name="screen shard", task_run_name="screen shard {shard.shard_id}", cache_policy=NO_CACHE, persist_result=False
)(call_shard_function)

record_lost_study_task = task(name="record lost study", cache_policy=NO_CACHE, persist_result=False)(record_lost_study)
