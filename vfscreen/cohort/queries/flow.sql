-- From files to patients, as CONSORT counts: one row a step (kind 'all' or 'kept') or an exclusion with its reason; within
-- a unit, all = kept + excluded. Series end by their first failing step. Exams are excluded by the first criterion of the
-- filter they do not pass, 'missing' where the value it asks of is not given. A study without PatientID stands for a
-- patient of its own. Patients analysed are those with a graded vertebra: the denominator of `prevalence`.
WITH steps AS (
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
    SELECT 30, 'exams', 'all', 'studies seen', NULL, count(DISTINCT exam_id) FROM exam_series
    UNION ALL
    SELECT 31, 'exams', 'excluded', 'no series screened', NULL,
           count(DISTINCT exam_id) - count(DISTINCT exam_id) FILTER (state = 'screened') FROM exam_series
    UNION ALL
    SELECT 32, 'exams', 'excluded', criterion, missing, count(*)
    FROM (
        SELECT CASE WHEN NOT passes_date THEN 'study date' WHEN NOT passes_age THEN 'age' WHEN NOT passes_sex THEN 'sex'
                    WHEN NOT passes_site THEN 'site' WHEN NOT passes_scanner THEN 'scanner'
                    WHEN NOT passes_contrast THEN 'contrast' WHEN NOT passes_modality THEN 'modality' END AS criterion,
               CASE WHEN criterion = 'study date' AND study_date IS NULL OR criterion = 'age' AND PatientAge_years IS NULL
                      OR criterion = 'sex' AND PatientSex IS NULL OR criterion = 'site' AND InstitutionName IS NULL
                      OR criterion = 'scanner' AND scanner IS NULL OR criterion = 'contrast' AND contrast_phase IS NULL
                    THEN 'missing' ELSE 'not asked for' END AS missing
        FROM passing_exams
    )
    WHERE criterion NOT NULL
    GROUP BY criterion, missing
    UNION ALL
    SELECT 33, 'exams', 'excluded', 'another exam of the patient counts', NULL, coalesce(sum(others), 0)
    FROM (SELECT any_value(exam_count) - count(*) AS others FROM chosen_exams GROUP BY patient_id)
    UNION ALL
    SELECT 34, 'exams', 'kept', 'exams chosen', NULL, count(*) FROM chosen_exams
    UNION ALL
    SELECT 40, 'patients', 'all', 'patients with a chosen exam', NULL, count(DISTINCT patient_id) FROM chosen_exams
    UNION ALL
    SELECT 41, 'patients', 'excluded', 'density', CASE WHEN missing THEN 'missing' ELSE 'not asked for' END, count(*)
    FROM (
        SELECT patient_id, bool_and(density_hu IS NULL) AS missing
        FROM chosen_exams
        ANTI JOIN counted_exams USING (patient_id)
        GROUP BY patient_id
    )
    GROUP BY missing
    UNION ALL
    SELECT 42, 'patients', 'excluded', 'no graded vertebra', NULL, count(*)
    FROM (
        SELECT patient_id FROM counted_exams LEFT JOIN findings AS f USING (exam_id)
        GROUP BY patient_id HAVING coalesce(sum(f.graded_vertebra_count), 0) = 0
    )
    UNION ALL
    SELECT 43, 'patients', 'kept', 'patients analysed', NULL, count(DISTINCT patient_id)
    FROM counted_exams SEMI JOIN (SELECT exam_id FROM findings WHERE graded_vertebra_count > 0) USING (exam_id)
    UNION ALL
    SELECT 44, 'patients', 'of them', 'without PatientID, a patient a study', NULL, count(DISTINCT patient_id)
    FROM counted_exams SEMI JOIN (SELECT exam_id FROM findings WHERE graded_vertebra_count > 0) USING (exam_id)
    WHERE patient_pseudonym IS NULL
    UNION ALL
    SELECT 45, 'patients', 'of them', 'with a fracture', NULL, count(DISTINCT patient_id)
    FROM counted_exams SEMI JOIN (SELECT exam_id FROM findings WHERE fractured_vertebra_count > 0) USING (exam_id)
    UNION ALL
    SELECT 50, 'vertebrae', 'all', 'vertebrae of the counted exams', NULL, count(*)
    FROM chosen_vertebrae SEMI JOIN counted_exams USING (exam_id)
    UNION ALL
    SELECT 51, 'vertebrae', 'excluded', 'not graded', reason_code, count(*)
    FROM chosen_vertebrae SEMI JOIN counted_exams USING (exam_id) WHERE grade IS NULL GROUP BY reason_code
    UNION ALL
    SELECT 52, 'vertebrae', 'kept', 'vertebrae graded', NULL, count(grade)
    FROM chosen_vertebrae SEMI JOIN counted_exams USING (exam_id)
    UNION ALL
    SELECT 53, 'vertebrae', 'of them', 'fractured', NULL, count(*)
    FROM chosen_vertebrae SEMI JOIN counted_exams USING (exam_id) WHERE fractured
)
SELECT place, unit, kind, step, reason, item_count::BIGINT AS item_count
FROM steps
ORDER BY place, item_count DESC, step, reason;
