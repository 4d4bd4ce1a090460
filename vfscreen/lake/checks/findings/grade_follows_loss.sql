-- Genant et al., JBMR 1993: 0.20, 0.25 and 0.40 belong to the higher grade. Grades follow the losses beside them.
-- Losses are compared as they are, never rounded; a border is met to within 1e-9 from either side.
SELECT StudyInstanceUID, SeriesInstanceUID, vertebra_index, loss, grade, kind
FROM (
    SELECT *, height_loss_ratio_raw AS loss, genant_grade_raw AS grade, 'raw' AS kind FROM vertebrae
    UNION ALL
    SELECT *, height_loss_ratio_adjusted, genant_grade, 'adjusted' FROM vertebrae
)
WHERE (loss IS NULL) <> (grade IS NULL)
   OR (loss NOT NULL AND grade NOT BETWEEN
       (CASE WHEN loss - 1e-9 < 0.20 THEN 0 WHEN loss - 1e-9 < 0.25 THEN 1 WHEN loss - 1e-9 < 0.40 THEN 2 ELSE 3 END)
       AND
       (CASE WHEN loss + 1e-9 < 0.20 THEN 0 WHEN loss + 1e-9 < 0.25 THEN 1 WHEN loss + 1e-9 < 0.40 THEN 2 ELSE 3 END));
