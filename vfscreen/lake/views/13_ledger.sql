-- ledger: how many series stand where, and why. One row a (state, reason_code); 'pending' until a sweep reaches them.
CREATE VIEW ledger AS
SELECT coalesce(s.state, 'pending') AS state, s.reason_code, count(*) AS series_count
FROM stored_manifest AS m
LEFT JOIN series AS s USING (StudyInstanceUID, SeriesInstanceUID)
GROUP BY ALL;
