-- An anatomical level stands once in a series.
SELECT StudyInstanceUID, SeriesInstanceUID, vertebra_level, count(*) AS row_count
FROM vertebrae
WHERE vertebra_level NOT NULL
GROUP BY ALL
HAVING count(*) > 1;
