-- findings: what was found on each exam with a vertebra of the filter: graded vertebrae, highest grade, fractures, and
-- the spinal deformity index over the levels of T4-L4 that were graded (null where none was).
CREATE TEMP VIEW findings AS
SELECT
    exam_id,
    count(grade) AS graded_vertebra_count,
    max(grade) AS max_grade,
    count(*) FILTER (fractured) AS fractured_vertebra_count,
    sum(grade) FILTER (vertebra_level IN
        ('T4', 'T5', 'T6', 'T7', 'T8', 'T9', 'T10', 'T11', 'T12', 'L1', 'L2', 'L3', 'L4'))::INTEGER AS sdi,
    count(grade) FILTER (vertebra_level IN
        ('T4', 'T5', 'T6', 'T7', 'T8', 'T9', 'T10', 'T11', 'T12', 'L1', 'L2', 'L3', 'L4'))::INTEGER AS sdi_level_count
FROM chosen_vertebrae
GROUP BY exam_id;
