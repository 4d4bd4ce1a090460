-- file_ledger: how many files are what, and why. One row a (file_state, reason_code).
CREATE VIEW file_ledger AS
SELECT file_state, reason_code, count(*) AS file_count
FROM stored_files
GROUP BY ALL;
