-- exams: every study of the reference standard as the lake knows it: one row a study that was read, in the lake or not.
-- in_lake is false where the index never saw the study. state says how far the study came (screened where any series
-- was); reason_code is why the study was not screened: the most frequent reason of its series, of failed ones first,
-- leaving out those that were only not the best. Demographics are the study's, the scanner is the chosen series'.
SELECT
    r.StudyInstanceUID,
    s.StudyInstanceUID IS NOT NULL AS in_lake,
    coalesce(s.patient_key, 'study ' || r.StudyInstanceUID) AS patient_key,
    CASE WHEN s.StudyInstanceUID IS NULL THEN 'absent'
         WHEN s.screened_count > 0 THEN 'screened'
         WHEN s.failed_count > 0 THEN 'failed'
         WHEN s.pending_count > 0 THEN 'pending'
         ELSE 'rejected' END AS state,
    CASE WHEN s.screened_count > 0 THEN NULL ELSE why.reason_code END AS reason_code,
    s.study_date, s.PatientAge_years, s.PatientSex, s.InstitutionName,
    nullif(concat_ws(' ', s.Manufacturer, s.ManufacturerModelName), '') AS scanner,
    s.ConvolutionKernel, s.SliceThickness_mm, s.contrast_phase, chosen.ContrastBolusAgent, chosen.slice_spacing_mm,
    s.graded_vertebra_count, s.max_genant_grade, s.fracture_probability, s.grade2_probability, s.density_reference_hu,
    s.overlay_path
FROM reference_studies AS r
LEFT JOIN studies AS s USING (StudyInstanceUID)
LEFT JOIN series AS chosen
  ON chosen.StudyInstanceUID = s.StudyInstanceUID AND chosen.SeriesInstanceUID = s.chosen_SeriesInstanceUID
LEFT JOIN (
    SELECT StudyInstanceUID, arg_max(reason_code, row(state = 'failed', n, reason_code)) AS reason_code
    FROM (
        SELECT StudyInstanceUID, state, reason_code, count(*) AS n
        FROM series
        WHERE reason_code IS NOT NULL AND reason_code <> 'not_best_series'
        GROUP BY ALL
    )
    GROUP BY StudyInstanceUID
) AS why ON why.StudyInstanceUID = r.StudyInstanceUID
-- a study filed under two patients counts for the one of whom more was seen
QUALIFY row_number() OVER (
    PARTITION BY r.StudyInstanceUID ORDER BY s.graded_vertebra_count DESC NULLS LAST, s.patient_key
) = 1
ORDER BY r.StudyInstanceUID;
