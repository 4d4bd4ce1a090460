-- A receipt counts the rows of its shard.
SELECT r.shard_id, r.series_count, count(s.SeriesInstanceUID) AS series_rows
FROM receipts AS r
LEFT JOIN series_history AS s USING (shard_id)
GROUP BY ALL
HAVING series_rows <> r.series_count;
