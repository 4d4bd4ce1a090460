-- releases: model releases seen in this lake and when each first landed a shard. The newest is the one that came last:
-- going on with an older release adds rows for series that lack them, it does not push a newer release aside.
CREATE VIEW releases AS
SELECT model_release, min(finished_at) AS first_landed_at, count(*) AS shard_count
FROM stored_receipts
GROUP BY model_release;
