-- A screened series has as many vertebra rows, and graded ones, as its own row says.
SELECT s.StudyInstanceUID, s.SeriesInstanceUID, s.vertebra_count, s.graded_vertebra_count,
       count(v.vertebra_index) AS vertebra_rows, count(v.genant_grade) AS graded_rows
FROM series AS s
LEFT JOIN vertebrae AS v USING (StudyInstanceUID, SeriesInstanceUID)
WHERE s.state = 'screened'
GROUP BY ALL
HAVING vertebra_rows <> s.vertebra_count OR graded_rows <> s.graded_vertebra_count;
