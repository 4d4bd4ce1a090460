-- Selection: one row a patient, the latest exam that passes the filter and meets what it asks of density and fractures,
-- with the worst vertebra and the levels that are deformed (grade_min or more; grade 1 or more where it is not given).
-- Missing age, sex, site or tube voltage is null. SDI is over the levels of T4-L4 that were graded on any series.
WITH deformed AS (
    SELECT
        exam_id,
        -- head to foot, whichever series or film of the exam showed them
        string_agg(
            coalesce(vertebra_level, '?'), ' '
            ORDER BY strpos('CTL', vertebra_level[1]) NULLS LAST, vertebra_level[2:]::INTEGER, vertebra_index
        ) AS fractured_levels,
        count(*) AS fractured_vertebra_count
    FROM chosen_vertebrae
    WHERE grade >= coalesce(getvariable('ask_grade_min'), 1)
    GROUP BY exam_id
)
SELECT
    e.patient_key, e.patient_pseudonym, e.StudyInstanceUID, e.study_date, e.PatientAge_years, e.PatientSex,
    e.modalities, e.InstitutionName, e.scanner, e.ConvolutionKernel, e.KVP_kV, e.contrast_phase,
    e.exam_count, e.graded_vertebra_count, e.max_genant_grade,
    coalesce(d.fractured_levels, '') AS fractured_levels,
    coalesce(d.fractured_vertebra_count, 0) AS fractured_vertebra_count,
    e.sdi, e.sdi_level_count,
    e.density_reference_hu, e.density_reference_hu_corrected, e.density_reference_levels, e.density_category,
    e.fracture_probability, e.grade2_probability, e.level_certain, e.overlay_path
FROM matching_exams AS e
LEFT JOIN deformed AS d USING (exam_id)
ORDER BY e.grade2_probability DESC NULLS LAST, e.patient_key, e.StudyInstanceUID;
