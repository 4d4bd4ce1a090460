-- A vertebra has one current row.
SELECT StudyInstanceUID, SeriesInstanceUID, vertebra_index, count(*) AS row_count
FROM vertebrae
GROUP BY ALL
HAVING count(*) > 1;
