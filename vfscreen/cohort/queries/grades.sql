-- Grade and type: vertebrae by headline grade (adjusted loss), raw grade and deformity type, on each patient's latest
-- screened exam. Vertebrae that are not graded stand under their reason. Denominator of share: the graded vertebrae.
SELECT
    genant_grade, genant_grade_raw, deformity_type, reason_code,
    count(*) AS vertebrae,
    CASE WHEN genant_grade NOT NULL THEN share(count(*), sum(count(genant_grade)) OVER ()) END AS share
FROM chosen_vertebrae
SEMI JOIN counted_exams USING (exam_id)
GROUP BY genant_grade, genant_grade_raw, deformity_type, reason_code
ORDER BY genant_grade NULLS LAST, genant_grade_raw NULLS LAST, deformity_type NULLS LAST, reason_code NULLS LAST;
