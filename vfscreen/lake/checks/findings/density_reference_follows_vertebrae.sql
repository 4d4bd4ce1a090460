-- The reference attenuation of a series is the mean of the levels it names, which were measured; a corrected one has a raw
-- one; a category stands exactly where there is a corrected one.
SELECT
    s.StudyInstanceUID, s.SeriesInstanceUID, s.density_reference_hu, s.density_reference_hu_corrected,
    s.density_reference_levels, s.density_category, avg(v.trabecular_hu_mean) AS mean_of_levels
FROM series AS s
LEFT JOIN vertebrae AS v
  ON v.StudyInstanceUID = s.StudyInstanceUID AND v.SeriesInstanceUID = s.SeriesInstanceUID
 AND list_contains(s.density_reference_levels, v.vertebra_level)
WHERE s.state = 'screened'
GROUP BY ALL
HAVING (s.density_reference_hu IS NULL) <> (len(coalesce(s.density_reference_levels, [])) = 0)
    OR (s.density_reference_hu IS NOT NULL AND coalesce(abs(s.density_reference_hu - mean_of_levels), 1) > 1e-6)
    OR (s.density_reference_hu_corrected IS NOT NULL AND s.density_reference_hu IS NULL)
    OR (s.density_category IS NULL) <> (s.density_reference_hu_corrected IS NULL);
