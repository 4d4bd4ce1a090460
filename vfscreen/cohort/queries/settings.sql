-- The validated settings of every sweep, without secrets, as JSON, the latest first.
SELECT run_id, started_at, model_release, settings_json
FROM runs
ORDER BY started_at DESC, run_id;
