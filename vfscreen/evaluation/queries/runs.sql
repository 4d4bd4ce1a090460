-- runs: the latest sweep of each model release, for what the series had to satisfy (settings) and the program's version.
SELECT model_release, run_id, finished_at, vfscreen_version, settings_json, archive
FROM runs
QUALIFY row_number() OVER (PARTITION BY model_release ORDER BY started_at DESC, run_id) = 1
ORDER BY model_release;
