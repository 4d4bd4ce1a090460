-- For the reader: patients' latest exams in which a vertebra was graded, the most probable grade 2 or 3 first, with the
-- overlay picture that shows why.
SELECT
    row_number() OVER (ORDER BY grade2_probability DESC NULLS LAST, patient_key) AS place,
    patient_key, StudyInstanceUID, study_date, PatientAge_years, PatientSex,
    grade2_probability, fracture_probability, max_genant_grade, sdi, level_certain, overlay_path
FROM patients
WHERE graded_vertebra_count > 0
ORDER BY place;
