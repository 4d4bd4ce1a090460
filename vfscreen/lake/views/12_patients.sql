-- patients: one row a patient: the latest exam that was screened (by StudyDate, then StudyInstanceUID).
-- A study without PatientID stands for a patient of its own (patient_key tells which); exams without a date come last.
CREATE VIEW patients AS
SELECT latest.*, exam_count
FROM (
    SELECT
        arg_max(t, row(coalesce(t.study_date, DATE '0001-01-01'), t.StudyInstanceUID)) AS latest,
        count(*) AS exam_count
    FROM studies AS t
    WHERE t.screened_count > 0
    GROUP BY t.patient_key
);
