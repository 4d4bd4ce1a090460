-- chosen_vertebrae: the vertebrae of the filter (levels, certain levels) on any exam, with `grade` and `loss` as the
-- filter wants them, adjusted or raw, and whether that grade is a fracture (2 or more where the filter does not say).
CREATE TEMP VIEW chosen_vertebrae AS
SELECT
    *,
    CASE WHEN getvariable('ask_grade') = 'raw' THEN genant_grade_raw ELSE genant_grade END AS grade,
    CASE WHEN getvariable('ask_grade') = 'raw' THEN height_loss_ratio_raw ELSE height_loss_ratio_adjusted END AS loss,
    grade >= coalesce(getvariable('ask_grade_min'), 2) AS fractured
FROM exam_vertebrae
WHERE (getvariable('ask_levels') IS NULL OR list_contains(getvariable('ask_levels'), vertebra_level))
  AND (NOT coalesce(getvariable('ask_level_certain'), false) OR level_certain);
