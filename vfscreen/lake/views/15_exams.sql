-- exams: the studies on which a series was screened, as the named queries count them: one row an exam of a patient.
-- exam_id and patient_id are hashes of (StudyInstanceUID, patient_key) and of patient_key, to join by within one
-- connection. exam_order counts a patient's exams in time from 1; exams without a date come first, then by
-- StudyInstanceUID. study_year, age_band (ten years) and scanner are null where what they are made from is missing.
CREATE VIEW exams AS
SELECT
    hash(StudyInstanceUID, patient_key) AS exam_id,
    hash(patient_key) AS patient_id,
    row_number() OVER (
        PARTITION BY patient_key ORDER BY coalesce(study_date, DATE '0001-01-01'), StudyInstanceUID
    )::INTEGER AS exam_order,
    year(study_date)::INTEGER AS study_year,
    format('{}-{}', (floor(PatientAge_years / 10) * 10)::INTEGER, (floor(PatientAge_years / 10) * 10)::INTEGER + 9)
        AS age_band,
    nullif(concat_ws(' ', Manufacturer, ManufacturerModelName), '') AS scanner,
    *
FROM studies
WHERE screened_count > 0;
