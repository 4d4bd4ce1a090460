-- Vertebrae by headline grade (adjusted loss), raw grade and deformity type, on each patient's latest screened exam.
-- Vertebrae that are not graded stand under their reason.
SELECT v.genant_grade, v.genant_grade_raw, v.deformity_type, v.reason_code, count(*) AS vertebrae
FROM vertebrae AS v
JOIN patients AS p
  ON p.StudyInstanceUID = v.StudyInstanceUID AND p.patient_pseudonym IS NOT DISTINCT FROM v.patient_pseudonym
GROUP BY ALL
ORDER BY ALL NULLS LAST;
