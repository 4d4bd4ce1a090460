-- A rejected or failed film says why and where; a screened one has no reason and at least one vertebra, others have none.
SELECT StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID, state, stage, reason_code, vertebra_count
FROM films
WHERE (state = 'screened') <> (reason_code IS NULL)
   OR (state = 'screened') <> (stage IS NULL)
   OR (state = 'screened') <> (coalesce(vertebra_count, 0) > 0);
