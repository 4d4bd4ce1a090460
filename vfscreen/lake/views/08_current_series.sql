-- current_series: which shard's row of a series counts: one row a series of the manifest that has reached its end.
-- Of its rows only those count that were made from the files as they are now (content_fingerprint) and that agree with
-- what the index says of the series (a row 'left out by its headers' of a series now selected does not, nor does a
-- screened row of one now left out). Of several, the newest release wins; within it a row that did not fail; then
-- the one that landed last. A table: it is worked out once for a connection, and every other view leans on it.
CREATE TABLE current_series AS
SELECT
    h.StudyInstanceUID, h.SeriesInstanceUID,
    arg_max(h.shard_id, row(l.first_landed_at, h.model_release, h.state <> 'failed', h.landed_at, h.shard_id))
        AS shard_id
FROM series_history AS h
JOIN stored_manifest AS m USING (StudyInstanceUID, SeriesInstanceUID, content_fingerprint)
JOIN releases AS l USING (model_release)
WHERE CASE WHEN m.selected THEN coalesce(h.stage NOT IN ('scan', 'accept', 'select'), true)
           ELSE h.state <> 'screened' END
GROUP BY h.StudyInstanceUID, h.SeriesInstanceUID;
