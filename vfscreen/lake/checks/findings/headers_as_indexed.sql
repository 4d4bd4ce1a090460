-- Demographics are never invented: what a series row says of patient, date, site and tube voltage is what the index read
-- from the headers, and where they say nothing it says nothing.
SELECT s.StudyInstanceUID, s.SeriesInstanceUID, s.PatientAge_years, m.PatientAge_years AS age_in_header,
       s.PatientSex, m.PatientSex AS sex_in_header, s.StudyDate, m.StudyDate AS date_in_header,
       s.KVP_kV, m.KVP_kV AS kvp_in_header
FROM series AS s
JOIN manifest AS m USING (StudyInstanceUID, SeriesInstanceUID)
WHERE (s.patient_pseudonym, s.PatientAge_years, s.PatientSex, s.StudyDate, s.InstitutionName, s.Manufacturer, s.KVP_kV)
   IS DISTINCT FROM
      (m.patient_pseudonym, m.PatientAge_years, m.PatientSex, m.StudyDate, m.InstitutionName, m.Manufacturer, m.KVP_kV);
