-- The spinal deformity index of a series is the sum of its grades over T4-L4, and null where none of them was graded.
SELECT
    s.StudyInstanceUID, s.SeriesInstanceUID, s.sdi, len(s.sdi_levels_assessed) AS levels_said,
    sum(v.genant_grade) AS grades, count(v.genant_grade) AS levels
FROM series AS s
LEFT JOIN vertebrae AS v
  ON v.StudyInstanceUID = s.StudyInstanceUID AND v.SeriesInstanceUID = s.SeriesInstanceUID
 AND v.vertebra_level IN ('T4', 'T5', 'T6', 'T7', 'T8', 'T9', 'T10', 'T11', 'T12', 'L1', 'L2', 'L3', 'L4')
WHERE s.state = 'screened'
GROUP BY ALL
HAVING s.sdi IS DISTINCT FROM grades OR coalesce(levels_said, 0) <> levels;
