-- findings: what was found on each exam with a vertebra of the filter: graded vertebrae, highest grade, fractures, and
-- the spinal deformity index over the levels of T4-L4 that were graded (null where none was). Where the filter asks
-- nothing of vertebrae the sums of the whole exam are taken (exam_findings), which is the same and many times faster.
CREATE TEMP VIEW findings AS
SELECT
    exam_id,
    CASE getvariable('ask_grade') WHEN 'raw' THEN graded_raw ELSE graded_adjusted END AS graded_vertebra_count,
    CASE getvariable('ask_grade') WHEN 'raw' THEN max_raw ELSE max_adjusted END AS max_grade,
    CASE getvariable('ask_grade') WHEN 'raw' THEN at_least_raw ELSE at_least_adjusted END
        [coalesce(getvariable('ask_grade_min'), 2)] AS fractured_vertebra_count,
    CASE getvariable('ask_grade') WHEN 'raw' THEN sdi_raw ELSE sdi_adjusted END AS sdi,
    CASE getvariable('ask_grade') WHEN 'raw' THEN sdi_levels_raw ELSE sdi_levels_adjusted END AS sdi_level_count
FROM exam_findings
WHERE getvariable('ask_levels') IS NULL AND NOT coalesce(getvariable('ask_level_certain'), false)
UNION ALL
SELECT
    exam_id,
    count(grade),
    max(grade),
    count(*) FILTER (fractured),
    sum(grade) FILTER (vertebra_level IN
        ('T4', 'T5', 'T6', 'T7', 'T8', 'T9', 'T10', 'T11', 'T12', 'L1', 'L2', 'L3', 'L4'))::INTEGER,
    count(grade) FILTER (vertebra_level IN
        ('T4', 'T5', 'T6', 'T7', 'T8', 'T9', 'T10', 'T11', 'T12', 'L1', 'L2', 'L3', 'L4'))::INTEGER
FROM chosen_vertebrae
WHERE getvariable('ask_levels') IS NOT NULL OR coalesce(getvariable('ask_level_certain'), false)
GROUP BY exam_id;
