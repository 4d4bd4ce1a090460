-- The raw loss is 1 - min/max of the three heights (Zakharov et al., 2023), where all three were measured.
SELECT StudyInstanceUID, SeriesInstanceUID, vertebra_index, anterior_height_mm, middle_height_mm, posterior_height_mm,
       height_loss_ratio_raw
FROM vertebrae
WHERE anterior_height_mm NOT NULL AND middle_height_mm NOT NULL AND posterior_height_mm NOT NULL
  AND height_loss_ratio_raw NOT NULL
  AND greatest(anterior_height_mm, middle_height_mm, posterior_height_mm) > 0
  AND abs(height_loss_ratio_raw - (1 - least(anterior_height_mm, middle_height_mm, posterior_height_mm)
                                   / greatest(anterior_height_mm, middle_height_mm, posterior_height_mm))) > 1e-6;
