-- studies: one row a study of a patient: when, how its series ended, and the worst that was found on any of them.
-- study_date is null where StudyDate is missing or no date. SDI is that of the series with most levels assessed.
CREATE VIEW studies AS
SELECT
    m.StudyInstanceUID,
    m.patient_pseudonym,
    coalesce(m.patient_pseudonym, 'study ' || m.StudyInstanceUID) AS patient_key,
    try_strptime(max(m.StudyDate), '%Y%m%d')::DATE AS study_date,
    max(m.PatientAge_years) AS PatientAge_years,
    max(m.PatientSex) AS PatientSex,
    max(m.InstitutionName) AS InstitutionName,
    count(*) AS series_count,
    count(*) FILTER (s.state = 'screened') AS screened_count,
    count(*) FILTER (s.state = 'rejected') AS rejected_count,
    count(*) FILTER (s.state = 'failed') AS failed_count,
    count(*) FILTER (s.state IS NULL) AS pending_count,
    sum(s.vertebra_count)::BIGINT AS vertebra_count,
    sum(s.graded_vertebra_count)::BIGINT AS graded_vertebra_count,
    max(s.max_genant_grade) AS max_genant_grade,
    arg_max(s.sdi, row(len(s.sdi_levels_assessed), s.sdi, s.SeriesInstanceUID)) AS sdi,
    arg_max(s.sdi_levels_assessed, row(len(s.sdi_levels_assessed), s.sdi, s.SeriesInstanceUID)) AS sdi_levels_assessed,
    max(s.patient_fracture_probability) AS fracture_probability,
    max(s.patient_grade2_probability) AS grade2_probability,
    bool_and(s.level_certain) AS level_certain,
    arg_max(s.overlay_path, row(coalesce(s.patient_grade2_probability, -1), s.SeriesInstanceUID)) AS overlay_path
FROM stored_manifest AS m
LEFT JOIN series AS s USING (StudyInstanceUID, SeriesInstanceUID)
GROUP BY m.StudyInstanceUID, m.patient_pseudonym;
