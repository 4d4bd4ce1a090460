"""The tasks of an evaluation. See the package's docstring for what belongs here."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from vfscreen.evaluation.study import evaluate
from vfscreen.report.evaluation.folder import write_evaluation

evaluate_task = task(name="evaluate", cache_policy=NO_CACHE, persist_result=False)(evaluate)

write_evaluation_task = task(name="write evaluation", cache_policy=NO_CACHE, persist_result=False)(write_evaluation)
