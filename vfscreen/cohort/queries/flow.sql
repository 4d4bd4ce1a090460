-- From files to patients, as CONSORT counts: one row a step (kind 'all' or 'kept') or an exclusion with its reason; within
-- a unit, all = kept + excluded. Series end by their first failing step. Exams are excluded by the first criterion of the
-- filter they do not pass, 'missing' where the value it asks of is not given. A study without PatientID stands for a
-- patient of its own. Patients analysed are those with a graded vertebra: the denominator of `prevalence`.
WITH passing AS MATERIALIZED (
    SELECT
        patient_id, exam_order,
        CASE WHEN NOT passes_date THEN 'study date' WHEN NOT passes_age THEN 'age' WHEN NOT passes_sex THEN 'sex'
             WHEN NOT passes_site THEN 'site' WHEN NOT passes_scanner THEN 'scanner'
             WHEN NOT passes_contrast THEN 'contrast' WHEN NOT passes_modality THEN 'modality' END AS criterion,
        CASE criterion WHEN 'study date' THEN study_date IS NULL WHEN 'age' THEN PatientAge_years IS NULL
             WHEN 'sex' THEN PatientSex IS NULL WHEN 'site' THEN InstitutionName IS NULL
             WHEN 'scanner' THEN scanner IS NULL WHEN 'contrast' THEN contrast_phase IS NULL ELSE false END AS missing
    FROM passing_exams
),
chosen AS MATERIALIZED (
    SELECT exam_id, patient_id, patient_pseudonym IS NULL AS unnamed, density_hu,
           getvariable('ask_density_below_hu') IS NULL
               OR coalesce(density_hu < getvariable('ask_density_below_hu'), false) AS counted
    FROM chosen_exams
),
per_exam AS MATERIALIZED (
    SELECT c.patient_id, c.unnamed, c.counted, c.density_hu, f.graded_vertebra_count, f.fractured_vertebra_count
    FROM chosen AS c LEFT JOIN findings AS f USING (exam_id)
),
patients AS MATERIALIZED (
    SELECT
        patient_id,
        bool_or(counted) AS counted,
        bool_and(density_hu IS NULL) AS density_missing,
        bool_and(unnamed) AS unnamed,
        coalesce(bool_or(graded_vertebra_count > 0) FILTER (counted), false) AS graded,
        coalesce(bool_or(fractured_vertebra_count > 0) FILTER (counted), false) AS fractured
    FROM per_exam
    GROUP BY patient_id
),
vertebrae_counted AS MATERIALIZED (
    SELECT reason_code, grade IS NOT NULL AS graded, count(*) AS n, count(*) FILTER (fractured) AS fractured
    FROM chosen_vertebrae
    SEMI JOIN (SELECT exam_id FROM chosen WHERE counted) USING (exam_id)
    GROUP BY 1, 2
),
studies_seen AS MATERIALIZED (
    SELECT count(*) AS n, count(*) FILTER (screened) AS screened
    FROM (SELECT exam_id, bool_or(state = 'screened') AS screened FROM exam_series GROUP BY exam_id)
),
steps AS (
    SELECT 10 AS place, 'files' AS unit, 'all' AS kind, 'files and zip members seen' AS step, NULL AS reason,
           coalesce(sum(file_count), 0) AS item_count
    FROM file_ledger
    UNION ALL
    SELECT 11, 'files', 'excluded', file_state, reason_code, file_count FROM file_ledger WHERE file_state <> 'instance'
    UNION ALL
    SELECT 12, 'files', 'kept', 'DICOM instances', NULL, coalesce(sum(file_count) FILTER (file_state = 'instance'), 0)
    FROM file_ledger
    UNION ALL
    SELECT 20, 'series', 'all', 'series seen', NULL, coalesce(sum(series_count), 0) FROM ledger
    UNION ALL
    SELECT 21, 'series', 'excluded', state, reason_code, series_count FROM ledger WHERE state <> 'screened'
    UNION ALL
    SELECT 22, 'series', 'kept', 'series screened', NULL,
           coalesce(sum(series_count) FILTER (state = 'screened'), 0) FROM ledger
    UNION ALL
    SELECT 23, 'films', 'all', 'radiographs looked at', NULL, sum(film_count) FROM film_ledger HAVING sum(film_count) > 0
    UNION ALL
    SELECT 24, 'films', 'excluded', state, reason_code, film_count FROM film_ledger WHERE state <> 'screened'
    UNION ALL
    SELECT 25, 'films', 'kept', 'radiographs screened', NULL, coalesce(sum(film_count) FILTER (state = 'screened'), 0)
    FROM film_ledger HAVING sum(film_count) > 0
    UNION ALL
    SELECT 30, 'exams', 'all', 'studies seen', NULL, n FROM studies_seen
    UNION ALL
    SELECT 31, 'exams', 'excluded', 'no series screened', NULL, n - screened FROM studies_seen
    UNION ALL
    SELECT 32, 'exams', 'excluded', criterion, CASE WHEN missing THEN 'missing' ELSE 'not asked for' END, count(*)
    FROM passing
    WHERE criterion NOT NULL
    GROUP BY criterion, missing
    UNION ALL
    SELECT 33, 'exams', 'excluded', 'another exam of the patient counts', NULL,
           (SELECT count(*) FROM passing WHERE criterion IS NULL) - (SELECT count(*) FROM chosen)
    UNION ALL
    SELECT 34, 'exams', 'kept', 'exams chosen', NULL, count(*) FROM chosen
    UNION ALL
    SELECT 40, 'patients', 'all', 'patients with a chosen exam', NULL, count(*) FROM patients
    UNION ALL
    SELECT 41, 'patients', 'excluded', 'density', CASE WHEN density_missing THEN 'missing' ELSE 'not asked for' END,
           count(*)
    FROM patients
    WHERE NOT counted
    GROUP BY density_missing
    UNION ALL
    SELECT 42, 'patients', 'excluded', 'no graded vertebra', NULL, count(*) FILTER (counted AND NOT graded) FROM patients
    UNION ALL
    SELECT 43, 'patients', 'kept', 'patients analysed', NULL, count(*) FILTER (graded) FROM patients
    UNION ALL
    SELECT 44, 'patients', 'of them', 'without PatientID, a patient a study', NULL, count(*) FILTER (graded AND unnamed)
    FROM patients
    UNION ALL
    SELECT 45, 'patients', 'of them', 'with a fracture', NULL, count(*) FILTER (fractured) FROM patients
    UNION ALL
    SELECT 50, 'vertebrae', 'all', 'vertebrae of the counted exams', NULL, coalesce(sum(n), 0) FROM vertebrae_counted
    UNION ALL
    SELECT 51, 'vertebrae', 'excluded', 'not graded', reason_code, n FROM vertebrae_counted WHERE NOT graded
    UNION ALL
    SELECT 52, 'vertebrae', 'kept', 'vertebrae graded', NULL, coalesce(sum(n) FILTER (graded), 0) FROM vertebrae_counted
    UNION ALL
    SELECT 53, 'vertebrae', 'of them', 'fractured', NULL, coalesce(sum(fractured), 0) FROM vertebrae_counted
)
SELECT place, unit, kind, step, reason, item_count::BIGINT AS item_count
FROM steps
ORDER BY place, item_count DESC, step, reason;
