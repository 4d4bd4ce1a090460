-- runs: every sweep.
CREATE VIEW runs AS
SELECT * FROM stored_runs;
