-- A vertebra is of a series that was screened, and of the patient and the content of that series.
SELECT v.StudyInstanceUID, v.SeriesInstanceUID, v.vertebra_index, s.state, v.patient_pseudonym, s.patient_pseudonym
FROM vertebrae AS v
LEFT JOIN series AS s USING (StudyInstanceUID, SeriesInstanceUID)
WHERE s.state IS DISTINCT FROM 'screened'
   OR v.patient_pseudonym IS DISTINCT FROM s.patient_pseudonym
   OR v.content_fingerprint <> s.content_fingerprint;
