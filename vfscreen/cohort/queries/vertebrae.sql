-- Every column of the vertebrae of each patient's latest screened exam, one row a vertebra: for further work outside.
SELECT v.*, e.patient_key, e.study_date, e.PatientAge_years, e.PatientSex
FROM vertebrae AS v
JOIN counted_exams AS e
  ON e.StudyInstanceUID = v.StudyInstanceUID AND e.patient_pseudonym IS NOT DISTINCT FROM v.patient_pseudonym
SEMI JOIN chosen_vertebrae AS c
  ON c.exam_id = e.exam_id AND c.SeriesInstanceUID = v.SeriesInstanceUID AND c.vertebra_index = v.vertebra_index
ORDER BY e.patient_key, v.SeriesInstanceUID, v.vertebra_index;
