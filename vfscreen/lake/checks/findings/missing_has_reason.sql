-- A vertebra without a grade says why; a truncated one is never graded.
SELECT StudyInstanceUID, SeriesInstanceUID, vertebra_index, truncated, genant_grade, reason_code
FROM vertebrae
WHERE (genant_grade IS NULL AND reason_code IS NULL) OR (truncated AND genant_grade NOT NULL);
