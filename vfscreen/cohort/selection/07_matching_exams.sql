-- matching_exams: the chosen exams with their findings that meet what the filter asks of findings: a fracture (where
-- grade_min is given), a density below a value (where one is given), both of them or any.
CREATE TEMP VIEW matching_exams AS
SELECT
    e.* EXCLUDE (graded_vertebra_count, max_genant_grade, sdi, sdi_levels_assessed),
    coalesce(f.graded_vertebra_count, 0) AS graded_vertebra_count,
    f.max_grade AS max_genant_grade,
    f.sdi,
    f.sdi_level_count
FROM chosen_exams AS e
LEFT JOIN findings AS f USING (exam_id)
WHERE CASE
    WHEN getvariable('ask_grade_min') IS NULL AND getvariable('ask_density_below_hu') IS NULL THEN true
    WHEN getvariable('ask_match') = 'any'
    THEN coalesce(f.fractured_vertebra_count > 0 AND getvariable('ask_grade_min') IS NOT NULL, false)
         OR coalesce(e.density_hu < getvariable('ask_density_below_hu'), false)
    ELSE (getvariable('ask_grade_min') IS NULL OR coalesce(f.fractured_vertebra_count > 0, false))
         AND (getvariable('ask_density_below_hu') IS NULL
              OR coalesce(e.density_hu < getvariable('ask_density_below_hu'), false))
    END;
