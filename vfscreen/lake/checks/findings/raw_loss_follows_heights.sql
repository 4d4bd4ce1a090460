-- The raw loss is 1 - min/max of the three heights (Zakharov et al., 2023), where all three were measured: in mm, or on a
-- film without calibration in pixels.
WITH measured AS (
    SELECT StudyInstanceUID, SeriesInstanceUID, vertebra_index, height_loss_ratio_raw,
           coalesce(anterior_height_mm, anterior_height_px) AS anterior,
           coalesce(middle_height_mm, middle_height_px) AS middle,
           coalesce(posterior_height_mm, posterior_height_px) AS posterior
    FROM vertebrae
)
SELECT *
FROM measured
WHERE anterior NOT NULL AND middle NOT NULL AND posterior NOT NULL AND height_loss_ratio_raw NOT NULL
  AND greatest(anterior, middle, posterior) > 0
  AND abs(height_loss_ratio_raw - (1 - least(anterior, middle, posterior) / greatest(anterior, middle, posterior))) > 1e-6;
