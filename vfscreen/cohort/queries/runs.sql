-- Every sweep, the latest first.
SELECT run_id, started_at, finished_at, outcome, message, model_release, shards_planned, shards_done, archive,
       vfscreen_version
FROM runs
ORDER BY started_at DESC, run_id;
