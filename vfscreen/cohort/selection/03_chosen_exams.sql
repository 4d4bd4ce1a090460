-- chosen_exams: the exams a question is asked of: those that pass, and of a patient's the latest, the first or all.
-- exam_count is the number of the patient's exams that pass.
CREATE TEMP VIEW chosen_exams AS
WITH passing AS (
    SELECT *
    FROM passing_exams
    WHERE passes_date AND passes_age AND passes_sex AND passes_site AND passes_scanner AND passes_contrast
      AND passes_modality
),
per_patient AS (
    SELECT patient_id, count(*) AS exam_count, min(exam_order) AS first_order, max(exam_order) AS latest_order
    FROM passing
    GROUP BY patient_id
)
SELECT
    passing.* EXCLUDE (passes_date, passes_age, passes_sex, passes_site, passes_scanner, passes_contrast,
                       passes_modality),
    per_patient.exam_count
FROM passing
JOIN per_patient USING (patient_id)
WHERE CASE getvariable('ask_exams')
    WHEN 'latest' THEN exam_order = latest_order
    WHEN 'first' THEN exam_order = first_order
    ELSE true END;
