-- A deformity has a type and grade 0 has none; what is not graded has no type.
SELECT StudyInstanceUID, SeriesInstanceUID, vertebra_index, genant_grade, deformity_type
FROM vertebrae
WHERE (genant_grade IS NULL) <> (deformity_type IS NULL)
   OR (genant_grade = 0) <> (deformity_type = 'none');
