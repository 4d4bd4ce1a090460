-- A film has one current row.
SELECT StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID, count(*) AS row_count
FROM films
GROUP BY ALL
HAVING count(*) > 1;
