-- Millimetres stand only where they are known: a CT vertebra has no pixels and lies in the patient, a film's has no LPS
-- position, no density, and mm only where the film is calibrated; then both agree in their ratios.
SELECT StudyInstanceUID, SeriesInstanceUID, vertebra_index, modality, height_calibrated, SOPInstanceUID, centre_lps_mm,
       centre_px, anterior_height_mm, anterior_height_px, posterior_height_mm, posterior_height_px
FROM vertebrae
WHERE CASE modality WHEN 'CT'
      THEN NOT height_calibrated OR SOPInstanceUID NOT NULL OR centre_px NOT NULL OR anterior_height_px NOT NULL
           OR centre_lps_mm IS NULL
      ELSE SOPInstanceUID IS NULL OR centre_px IS NULL OR centre_lps_mm NOT NULL OR anterior_superior_lps_mm NOT NULL
           OR trabecular_hu_mean NOT NULL OR bmd_mg_cm3 NOT NULL
           OR (NOT height_calibrated AND coalesce(anterior_height_mm, middle_height_mm, posterior_height_mm,
                                                  anterior_height_sd_mm, anterior_superior_sd_mm) NOT NULL)
           OR (height_calibrated AND (anterior_height_mm IS NULL) <> (anterior_height_px IS NULL))
      END;
