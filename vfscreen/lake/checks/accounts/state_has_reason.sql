-- A rejected or failed series says why and where; a screened one has no reason.
SELECT StudyInstanceUID, SeriesInstanceUID, state, stage, reason_code
FROM series
WHERE (state = 'screened') <> (reason_code IS NULL) OR (state = 'screened') <> (stage IS NULL);
