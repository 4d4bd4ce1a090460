-- exam_findings: what all vertebrae of an exam sum up to, by adjusted and by raw grade: graded vertebrae, the highest
-- grade, vertebrae of grade 1, 2, 3 or more, the spinal deformity index over the graded levels of T4-L4 and their number.
CREATE VIEW exam_findings AS
SELECT
    exam_id,
    count(genant_grade)::INTEGER AS graded_adjusted,
    max(genant_grade) AS max_adjusted,
    [count(*) FILTER (genant_grade >= 1), count(*) FILTER (genant_grade >= 2), count(*) FILTER (genant_grade >= 3)]
        AS at_least_adjusted,
    sum(genant_grade) FILTER (in_sdi)::INTEGER AS sdi_adjusted,
    count(genant_grade) FILTER (in_sdi)::INTEGER AS sdi_levels_adjusted,
    count(genant_grade_raw)::INTEGER AS graded_raw,
    max(genant_grade_raw) AS max_raw,
    [count(*) FILTER (genant_grade_raw >= 1), count(*) FILTER (genant_grade_raw >= 2),
     count(*) FILTER (genant_grade_raw >= 3)] AS at_least_raw,
    sum(genant_grade_raw) FILTER (in_sdi)::INTEGER AS sdi_raw,
    count(genant_grade_raw) FILTER (in_sdi)::INTEGER AS sdi_levels_raw
FROM (
    SELECT *, coalesce(vertebra_level IN
        ('T4', 'T5', 'T6', 'T7', 'T8', 'T9', 'T10', 'T11', 'T12', 'L1', 'L2', 'L3', 'L4'), false) AS in_sdi
    FROM exam_vertebrae
)
GROUP BY exam_id;
