-- An anatomical level stands once in a CT series, and once on a film.
SELECT StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID, vertebra_level, count(*) AS row_count
FROM vertebrae
WHERE vertebra_level NOT NULL
GROUP BY ALL
HAVING count(*) > 1;
