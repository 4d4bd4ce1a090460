"""The tasks of a training. See the package's docstring for what belongs here.

The only module of tasks and flows that may know the training side branch (docs/adr/0006-training-flow.md): no worker
of a sweep imports it. Prefect keeps no result: receipts in the work folder say what is done.
"""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from vfscreen.training.plan import read_plan
from vfscreen.training.stages import run_stage, stages

read_plan_task = task(name="read plan", cache_policy=NO_CACHE, persist_result=False)(read_plan)

plan_stages_task = task(name="plan stages", cache_policy=NO_CACHE, persist_result=False)(stages)

run_stage_task = task(
    name="training stage",
    task_run_name="{stage.network} {stage.name}",
    cache_policy=NO_CACHE,
    persist_result=False,
)(run_stage)
