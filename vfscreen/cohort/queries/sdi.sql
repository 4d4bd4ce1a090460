-- Spinal deformity index (Crans et al., Bone 2005): the sum of grades over T4-L4, of the levels that were graded; its
-- spread over patients, one exam each. Denominator: patients with at least one of these levels graded; an index over few
-- levels is a lower bound, so mean_sdi_levels and patients_all_levels (13 graded) stand beside it.
SELECT
    group_label('age', age_band) AS age_band,
    group_label('sex', PatientSex) AS PatientSex,
    group_label('site', InstitutionName) AS InstitutionName,
    group_label('year', study_year::VARCHAR) AS study_year,
    group_label('scanner', scanner) AS scanner,
    count(f.sdi) AS patients,
    count(*) - count(f.sdi) AS patients_not_assessed,
    avg(f.sdi) AS mean_sdi,
    stddev_samp(f.sdi) AS sd_sdi,
    median(f.sdi) AS median_sdi,
    max(f.sdi) AS max_sdi,
    count(*) FILTER (f.sdi = 0) AS sdi_0,
    count(*) FILTER (f.sdi BETWEEN 1 AND 3) AS sdi_1_to_3,
    count(*) FILTER (f.sdi BETWEEN 4 AND 9) AS sdi_4_to_9,
    count(*) FILTER (f.sdi >= 10) AS sdi_10_or_more,
    avg(f.sdi_level_count) FILTER (f.sdi NOT NULL) AS mean_sdi_levels,
    count(*) FILTER (f.sdi_level_count = 13) AS patients_all_levels
FROM counted_exams
LEFT JOIN findings AS f USING (exam_id)
GROUP BY 1, 2, 3, 4, 5
ORDER BY min(CASE WHEN list_contains(getvariable('ask_by'), 'age') THEN floor(PatientAge_years / 10) END) NULLS LAST,
    age_band, PatientSex, InstitutionName, study_year, scanner;
