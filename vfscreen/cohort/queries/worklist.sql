-- For the reader: patients' latest exams that pass the filter and have a graded vertebra, the most probable fracture
-- first (grade 2 or more; grade 1 or more where grade_min is 1), with a link to the overlay picture that shows why.
SELECT
    row_number() OVER (
        ORDER BY CASE WHEN getvariable('ask_grade_min') = 1 THEN fracture_probability ELSE grade2_probability END
            DESC NULLS LAST, patient_key, StudyInstanceUID
    ) AS place,
    patient_key, StudyInstanceUID, study_date, PatientAge_years, PatientSex, InstitutionName,
    grade2_probability, fracture_probability, max_genant_grade, sdi, level_certain,
    density_reference_hu_corrected, density_category, contrast_phase, modalities,
    overlay_path,
    getvariable('lake_url') || '/' || overlay_path AS overlay_url
FROM matching_exams
WHERE graded_vertebra_count > 0
ORDER BY place;
