-- Fracture by density: patients by density class and whether a vertebra is fractured, one CT exam each. The class is the
-- site's category of the corrected reference attenuation (L1, else the declared fall-back), or, where density_below_hu is
-- asked for, below it or not; 'unknown' without a valid reference. Denominator of prevalence: patients of the class with
-- a graded vertebra (Wilson's 95 % interval); of class_share: the group's patients with a known class.
WITH classed AS (
    SELECT
        group_label('age', age_band) AS age_band,
        group_label('sex', PatientSex) AS PatientSex,
        group_label('site', InstitutionName) AS InstitutionName,
        group_label('year', study_year::VARCHAR) AS study_year,
        group_label('scanner', scanner) AS scanner,
        floor(PatientAge_years / 10) AS band,
        density_hu,
        CASE WHEN density_hu IS NULL THEN 'unknown'
             WHEN getvariable('ask_density_below_hu') IS NULL THEN coalesce(density_category, 'unknown')
             WHEN density_hu < getvariable('ask_density_below_hu') THEN 'below'
             ELSE 'not_below' END AS density_class,
        f.graded_vertebra_count, f.fractured_vertebra_count
    FROM chosen_exams
    LEFT JOIN findings AS f USING (exam_id)
),
counted AS (
    SELECT
        age_band, PatientSex, InstitutionName, study_year, scanner, density_class,
        min(CASE age_band WHEN 'all' THEN 0 ELSE band END) AS band_order,
        count(*) AS patients,
        count(*) FILTER (graded_vertebra_count > 0) AS graded_patients,
        count(*) FILTER (fractured_vertebra_count > 0) AS fractured_patients,
        avg(density_hu) AS mean_density_hu,
        stddev_samp(density_hu) AS sd_density_hu
    FROM classed
    GROUP BY age_band, PatientSex, InstitutionName, study_year, scanner, density_class
)
SELECT
    age_band, PatientSex, InstitutionName, study_year, scanner, density_class, patients,
    CASE WHEN density_class <> 'unknown' THEN share(patients, sum(patients) FILTER (density_class <> 'unknown') OVER (
        PARTITION BY age_band, PatientSex, InstitutionName, study_year, scanner)) END AS class_share,
    graded_patients, fractured_patients,
    share(fractured_patients, graded_patients) AS prevalence,
    wilson_low(fractured_patients, graded_patients) AS prevalence_low,
    wilson_high(fractured_patients, graded_patients) AS prevalence_high,
    mean_density_hu, sd_density_hu
FROM counted
ORDER BY band_order NULLS LAST, age_band, PatientSex, InstitutionName, study_year, scanner,
    list_position(['osteoporosis_range', 'low', 'normal', 'below', 'not_below', 'unknown'], density_class);
