-- Numbers are within what they can be: shares and probabilities 0 to 1, grades 0 to 3, heights of a vertebral body above 0
-- and at most 60 mm, standard deviations not negative, attenuations those of CT. Nothing is NaN or infinite.
SELECT StudyInstanceUID, SeriesInstanceUID, vertebra_index, column_name
FROM (
    UNPIVOT (
        SELECT
            StudyInstanceUID, SeriesInstanceUID, vertebra_index,
            height_loss_ratio_raw BETWEEN 0 AND 1 AS height_loss_ratio_raw,
            height_loss_ratio_adjusted BETWEEN 0 AND 1 AS height_loss_ratio_adjusted,
            genant_grade_raw BETWEEN 0 AND 3 AS genant_grade_raw,
            genant_grade BETWEEN 0 AND 3 AS genant_grade,
            level_probability BETWEEN 0 AND 1 AS level_probability,
            detection_probability BETWEEN 0 AND 1 AS detection_probability,
            fracture_probability BETWEEN 0 AND 1 AS fracture_probability,
            grade2_probability BETWEEN 0 AND 1 AS grade2_probability,
            grade3_probability BETWEEN 0 AND 1 AS grade3_probability,
            anterior_height_mm >= 0 AND anterior_height_mm <= 60 AS anterior_height_mm,
            middle_height_mm >= 0 AND middle_height_mm <= 60 AS middle_height_mm,
            posterior_height_mm >= 0 AND posterior_height_mm <= 60 AS posterior_height_mm,
            greatest(anterior_height_mm, middle_height_mm, posterior_height_mm) > 0 AS heights_mm,
            greatest(anterior_height_px, middle_height_px, posterior_height_px) > 0 AS heights_px,
            least(anterior_height_px, middle_height_px, posterior_height_px) >= 0 AS height_px,
            list_bool_and([isfinite(x) AND x > -1 FOR x IN centre_px]) AS centre_px,
            trabecular_hu_mean BETWEEN -1024 AND 3071 AS trabecular_hu_mean,
            trabecular_hu_sd >= 0 AND isfinite(trabecular_hu_sd) AS trabecular_hu_sd,
            trabecular_volume_mm3 BETWEEN 0 AND 100000 AS trabecular_volume_mm3,
            isfinite(trabecular_hu_corrected) AS trabecular_hu_corrected,
            isfinite(bmd_mg_cm3) AS bmd_mg_cm3,
            list_bool_and([isfinite(x) FOR x IN centre_lps_mm]) AS centre_lps_mm
        FROM vertebrae
    )
    ON COLUMNS(* EXCLUDE (StudyInstanceUID, SeriesInstanceUID, vertebra_index))
    INTO NAME column_name VALUE within
)
WHERE NOT within;
