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
        v.StudyInstanceUID, v.patient_pseudonym,
        string_agg(DISTINCT coalesce(v.vertebra_level, '?'), ' ') AS fractured_levels,
        count(DISTINCT coalesce(v.vertebra_level, v.SeriesInstanceUID || v.vertebra_index)) AS fractured_vertebra_count
    FROM vertebrae AS v
    WHERE v.genant_grade >= 1
    GROUP BY ALL
) AS f ON f.StudyInstanceUID = p.StudyInstanceUID AND f.patient_pseudonym IS NOT DISTINCT FROM p.patient_pseudonym
ORDER BY p.grade2_probability DESC NULLS LAST, p.patient_key;
