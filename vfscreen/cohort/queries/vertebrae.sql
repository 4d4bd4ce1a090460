-- One row a vertebra of every patient's latest screened exam.
SELECT v.*, p.patient_key, p.study_date, p.PatientAge_years, p.PatientSex
FROM vertebrae AS v
JOIN patients AS p
  ON p.StudyInstanceUID = v.StudyInstanceUID AND p.patient_pseudonym IS NOT DISTINCT FROM v.patient_pseudonym
ORDER BY p.patient_key, v.SeriesInstanceUID, v.vertebra_index;
