-- P(grade >= 1) >= P(grade >= 2) >= P(grade >= 3).
SELECT StudyInstanceUID, SeriesInstanceUID, vertebra_index, fracture_probability, grade2_probability, grade3_probability
FROM vertebrae
WHERE grade2_probability > fracture_probability + 1e-9 OR grade3_probability > grade2_probability + 1e-9;
