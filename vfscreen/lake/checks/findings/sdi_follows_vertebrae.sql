-- The spinal deformity index of a series is the sum of its grades over T4-L4, and null where none of them was graded. A
-- level seen on several films of a series counts once, with its highest grade.
WITH levels AS (
    SELECT StudyInstanceUID, SeriesInstanceUID, vertebra_level, max(genant_grade) AS grade
    FROM vertebrae
    WHERE vertebra_level IN ('T4', 'T5', 'T6', 'T7', 'T8', 'T9', 'T10', 'T11', 'T12', 'L1', 'L2', 'L3', 'L4')
    GROUP BY ALL
)
SELECT
    s.StudyInstanceUID, s.SeriesInstanceUID, s.sdi, len(s.sdi_levels_assessed) AS levels_said,
    sum(v.grade) AS grades, count(v.grade) AS levels
FROM series AS s
LEFT JOIN levels AS v USING (StudyInstanceUID, SeriesInstanceUID)
WHERE s.state = 'screened'
GROUP BY ALL
HAVING s.sdi IS DISTINCT FROM grades OR coalesce(levels_said, 0) <> levels;
