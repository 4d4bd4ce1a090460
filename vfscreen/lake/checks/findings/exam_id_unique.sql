-- Exams and patients are joined by hashes in the named queries: no two share one.
SELECT 'exam' AS of_what, exam_id AS hash, count(DISTINCT (StudyInstanceUID, patient_key)) AS owners
FROM exams
GROUP BY exam_id
HAVING owners > 1
UNION ALL
SELECT 'patient', patient_id, count(DISTINCT patient_key) AS owners
FROM exams
GROUP BY patient_id
HAVING owners > 1;
