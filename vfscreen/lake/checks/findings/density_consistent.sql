-- A vertebra's density agrees with itself: valid or not exactly where a region was measured, valid exactly where nothing
-- speaks against it, corrected by the corrections beside it and only where one stands there, an SD with every density.
SELECT StudyInstanceUID, SeriesInstanceUID, vertebra_index, trabecular_hu_mean, density_valid, density_reasons,
       kvp_correction_hu, contrast_correction_hu, kernel_correction_hu, trabecular_hu_corrected, bmd_mg_cm3, bmd_sd_mg_cm3
FROM vertebrae
WHERE (trabecular_hu_mean IS NULL) <> (density_valid IS NULL)
   OR (density_valid IS NOT NULL AND density_valid <> (len(coalesce(density_reasons, [])) = 0))
   OR (density_valid AND trabecular_hu_corrected IS NULL)
   OR (trabecular_hu_corrected IS NOT NULL AND trabecular_hu_mean IS NULL)
   OR (trabecular_hu_corrected IS NOT NULL AND (kvp_correction_hu IS NULL OR contrast_correction_hu IS NULL))
   OR abs(trabecular_hu_corrected - trabecular_hu_mean - kvp_correction_hu - contrast_correction_hu
          - coalesce(kernel_correction_hu, 0)) > 1e-6
   OR (bmd_mg_cm3 IS NULL) <> (bmd_sd_mg_cm3 IS NULL)
   OR (bmd_mg_cm3 IS NOT NULL AND trabecular_hu_mean IS NULL);
