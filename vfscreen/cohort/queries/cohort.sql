-- One row a patient: the latest exam that was screened, with the worst vertebra and the levels that are fractured.
SELECT
    p.patient_key, p.patient_pseudonym, p.StudyInstanceUID, p.study_date, p.PatientAge_years, p.PatientSex,
    p.exam_count, p.graded_vertebra_count, p.max_genant_grade,
    coalesce(f.fractured_levels, '') AS fractured_levels,
    coalesce(f.fractured_vertebra_count, 0) AS fractured_vertebra_count,
    p.sdi, len(p.sdi_levels_assessed) AS sdi_level_count,
    p.fracture_probability, p.grade2_probability, p.level_certain, p.overlay_path
FROM patients AS p
LEFT JOIN (
    SELECT
        StudyInstanceUID, patient_pseudonym,
        string_agg(level, ' ' ORDER BY vertebra_index) AS fractured_levels,
        count(*) AS fractured_vertebra_count
    FROM (
        -- a level seen on two series of the study counts once; unknown levels cannot be matched and count each
        SELECT
            StudyInstanceUID, patient_pseudonym, coalesce(vertebra_level, '?') AS level,
            min(vertebra_index) AS vertebra_index
        FROM vertebrae
        WHERE genant_grade >= 1
        GROUP BY StudyInstanceUID, patient_pseudonym, vertebra_level, CASE WHEN vertebra_level IS NULL THEN SeriesInstanceUID || vertebra_index END
    )
    GROUP BY ALL
) AS f ON f.StudyInstanceUID = p.StudyInstanceUID AND f.patient_pseudonym IS NOT DISTINCT FROM p.patient_pseudonym
ORDER BY p.grade2_probability DESC NULLS LAST, p.patient_key;
