-- A series' highest grade is the highest of its vertebrae.
SELECT s.StudyInstanceUID, s.SeriesInstanceUID, s.max_genant_grade, max(v.genant_grade) AS highest
FROM series AS s
JOIN vertebrae AS v USING (StudyInstanceUID, SeriesInstanceUID)
WHERE s.state = 'screened'
GROUP BY ALL
HAVING s.max_genant_grade IS DISTINCT FROM highest;
