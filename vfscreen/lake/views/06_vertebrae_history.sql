-- vertebrae_history: every vertebra row of every landed shard, like series_history.
CREATE VIEW vertebrae_history AS
SELECT * FROM stored_vertebrae;
