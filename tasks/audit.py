"""The tasks of an audit. See the package's docstring for what belongs here.

Prefect keeps no result of them: an audit's files say whether it is complete, and reports are no business of Prefect's.
"""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from vfscreen.audit.run import plan_audit, read_summary, run_audit

plan_audit_task = task(name="plan audit", cache_policy=NO_CACHE, persist_result=False)(plan_audit)

run_audit_task = task(name="audit", cache_policy=NO_CACHE, persist_result=False)(run_audit)

verify_audit_task = task(name="verify audit", cache_policy=NO_CACHE, persist_result=False)(read_summary)
