-- series: where each series of the archive stands: one row a series of the manifest that has reached its end, made from
-- the files as they are now, by the newest release that has reached it (see current_series).
CREATE VIEW series AS
SELECT s.*
FROM stored_series AS s
SEMI JOIN current_series USING (StudyInstanceUID, SeriesInstanceUID, shard_id);
