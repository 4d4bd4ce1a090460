-- exam_vertebrae: the vertebrae of `exams`, each once: of a level seen on several screened series or films of an exam, CT
-- and radiographs alike, the row with the highest grade, then the surest. An unknown level cannot be matched; each such
-- row stands for itself.
CREATE VIEW exam_vertebrae AS
WITH ranked AS (
    SELECT
        hash(v.StudyInstanceUID, coalesce(v.patient_pseudonym, 'study ' || v.StudyInstanceUID)) AS exam_id,
        v.SeriesInstanceUID, v.vertebra_index, v.modality, v.height_calibrated, v.SOPInstanceUID,
        v.vertebra_level, v.level_probability, v.level_certain, v.truncated,
        v.detection_probability, v.reason_code, v.height_loss_ratio_raw, v.height_loss_ratio_adjusted,
        v.genant_grade_raw, v.genant_grade, v.deformity_type, v.fracture_probability, v.grade2_probability,
        v.grade3_probability, v.trabecular_hu_mean, v.trabecular_hu_corrected, v.density_valid, v.focal_lesion_flag
    FROM vertebrae AS v
),
several AS (
    SELECT exam_id FROM exams WHERE screened_count > 1 OR film_count > 1
)
SELECT * FROM ranked ANTI JOIN several USING (exam_id)
UNION ALL
SELECT * FROM ranked SEMI JOIN several USING (exam_id)
QUALIFY row_number() OVER (
    PARTITION BY exam_id, vertebra_level,
        CASE WHEN vertebra_level IS NULL THEN SeriesInstanceUID || ' ' || vertebra_index END
    ORDER BY genant_grade DESC NULLS LAST, genant_grade_raw DESC NULLS LAST, truncated, level_probability DESC NULLS LAST,
        SeriesInstanceUID, vertebra_index
) = 1;
