-- vertebrae: the vertebrae of the rows in `series`: one row a vertebra, no series twice, no former release.
CREATE VIEW vertebrae AS
SELECT v.*
FROM vertebrae_history AS v
SEMI JOIN current_series USING (StudyInstanceUID, SeriesInstanceUID, shard_id);
