-- Where every series and every file of the archive ended, and why.
SELECT 'series' AS of_what, state, reason_code, series_count AS item_count FROM ledger
UNION ALL
SELECT 'file', file_state, reason_code, file_count FROM file_ledger
ORDER BY of_what DESC, item_count DESC, state, reason_code;
