-- A series has one row in the manifest.
SELECT StudyInstanceUID, SeriesInstanceUID, count(*) AS row_count
FROM manifest
GROUP BY ALL
HAVING count(*) > 1;
