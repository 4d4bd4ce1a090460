-- P(a vertebra of grade >= 1) >= P(a vertebra of grade >= 2), of a series with a graded vertebra; without one, no
-- probability.
SELECT StudyInstanceUID, SeriesInstanceUID, graded_vertebra_count, patient_fracture_probability, patient_grade2_probability
FROM series
WHERE state = 'screened'
  AND (patient_grade2_probability > patient_fracture_probability + 1e-9
       OR (graded_vertebra_count > 0) <> (patient_fracture_probability IS NOT NULL)
       OR (graded_vertebra_count > 0) <> (patient_grade2_probability IS NOT NULL));
