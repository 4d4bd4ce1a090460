-- Prevalence: patients with at least one fractured vertebra, of those with a graded vertebra, with the 95 % interval of
-- Wilson (1927). Groups: age bands and sex, or what is asked for; a missing value is a group of its own, 'unknown'.
-- Denominator: patients (one exam each). patients_not_graded have no graded vertebra and are not in it.
WITH counted AS (
    SELECT
        group_label('age', age_band) AS age_band,
        group_label('sex', PatientSex) AS PatientSex,
        group_label('site', InstitutionName) AS InstitutionName,
        group_label('year', study_year::VARCHAR) AS study_year,
        group_label('scanner', scanner) AS scanner,
        min(floor(PatientAge_years / 10)) AS band_order,
        count(*) FILTER (f.graded_vertebra_count > 0) AS patients,
        count(*) FILTER (coalesce(f.graded_vertebra_count, 0) = 0) AS patients_not_graded,
        count(*) FILTER (f.fractured_vertebra_count > 0) AS fractured_patients,
        count(*) FILTER (f.max_grade >= 1) AS patients_grade1,
        count(*) FILTER (f.max_grade >= 2) AS patients_grade2,
        count(*) FILTER (f.max_grade >= 3) AS patients_grade3
    FROM counted_exams
    LEFT JOIN findings AS f USING (exam_id)
    GROUP BY 1, 2, 3, 4, 5
)
SELECT
    age_band, PatientSex, InstitutionName, study_year, scanner,
    patients, patients_not_graded, fractured_patients,
    share(fractured_patients, patients) AS prevalence,
    wilson_low(fractured_patients, patients) AS prevalence_low,
    wilson_high(fractured_patients, patients) AS prevalence_high,
    patients_grade1, patients_grade2, patients_grade3,
    share(patients_grade1, patients) AS prevalence_grade1,
    wilson_low(patients_grade1, patients) AS prevalence_grade1_low,
    wilson_high(patients_grade1, patients) AS prevalence_grade1_high,
    share(patients_grade2, patients) AS prevalence_grade2,
    wilson_low(patients_grade2, patients) AS prevalence_grade2_low,
    wilson_high(patients_grade2, patients) AS prevalence_grade2_high
FROM counted
ORDER BY CASE age_band WHEN 'all' THEN 0 ELSE band_order END NULLS LAST, age_band, PatientSex, InstitutionName, study_year, scanner;
