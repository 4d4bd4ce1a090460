-- Demographics are never invented: age, sex and tube voltage of a series in the index stand in the header of one of its
-- files.
WITH headers AS (
    SELECT
        coalesce(StudyInstanceUID, '') AS StudyInstanceUID, SeriesInstanceUID,
        list(DISTINCT PatientAge_years) AS ages, list(DISTINCT PatientSex) AS sexes, list(DISTINCT KVP_kV) AS voltages
    FROM files
    WHERE file_state = 'instance'
    GROUP BY ALL
)
SELECT m.StudyInstanceUID, m.SeriesInstanceUID, m.PatientAge_years, h.ages, m.PatientSex, h.sexes, m.KVP_kV, h.voltages
FROM manifest AS m
LEFT JOIN headers AS h USING (StudyInstanceUID, SeriesInstanceUID)
WHERE (m.PatientAge_years NOT NULL AND NOT coalesce(list_contains(h.ages, m.PatientAge_years), false))
   OR (m.PatientSex NOT NULL AND NOT coalesce(list_contains(h.sexes, m.PatientSex), false))
   OR (m.KVP_kV NOT NULL AND NOT coalesce(list_contains(h.voltages, m.KVP_kV), false));
