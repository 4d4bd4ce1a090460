-- A series of the archive has at most one current row: twice would count a patient twice.
SELECT StudyInstanceUID, SeriesInstanceUID, count(*) AS row_count
FROM series
GROUP BY ALL
HAVING count(*) > 1;
