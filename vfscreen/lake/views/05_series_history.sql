-- series_history: every row of every landed shard: all releases, former fingerprints, overlapping sweeps.
-- Adds landed_at, when the shard's receipt was written.
CREATE VIEW series_history AS
SELECT s.*, r.finished_at AS landed_at
FROM stored_series AS s
JOIN stored_receipts AS r USING (shard_id);
