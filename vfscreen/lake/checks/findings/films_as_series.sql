-- A film is of the patient and the content of its series, calibrated exactly where its spacing is, and its vertebrae are as
-- many as it says and calibrated as it is.
SELECT f.StudyInstanceUID, f.SeriesInstanceUID, f.SOPInstanceUID, f.height_calibrated, f.spacing_source,
       f.vertebra_count, v.vertebra_rows, v.calibrated_rows
FROM films AS f
LEFT JOIN series AS s USING (StudyInstanceUID, SeriesInstanceUID)
LEFT JOIN (
    SELECT StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID, count(*) AS vertebra_rows,
           count(*) FILTER (height_calibrated) AS calibrated_rows
    FROM vertebrae
    GROUP BY ALL
) AS v USING (StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID)
WHERE s.state IS NULL
   OR f.patient_pseudonym IS DISTINCT FROM s.patient_pseudonym
   OR f.content_fingerprint <> s.content_fingerprint
   OR (f.height_calibrated IS NULL AND f.state = 'screened')
   OR f.height_calibrated <> coalesce(f.spacing_source = 'calibrated', false)
   OR coalesce(v.vertebra_rows, 0) <> coalesce(f.vertebra_count, 0)
   OR v.calibrated_rows <> CASE WHEN f.height_calibrated THEN v.vertebra_rows ELSE 0 END;
