-- How often each level was seen, graded and fractured, on each patient's latest screened exam, from the head down.
SELECT
    coalesce(v.vertebra_level, 'unknown') AS vertebra_level,
    count(*) AS vertebrae,
    count(v.genant_grade) AS graded,
    count(*) FILTER (v.truncated) AS truncated,
    count(*) FILTER (v.genant_grade >= 1) AS grade1_or_more,
    count(*) FILTER (v.genant_grade >= 2) AS grade2_or_more,
    avg(v.height_loss_ratio_adjusted) AS mean_height_loss_ratio_adjusted
FROM vertebrae AS v
JOIN patients AS p
  ON p.StudyInstanceUID = v.StudyInstanceUID AND p.patient_pseudonym IS NOT DISTINCT FROM v.patient_pseudonym
GROUP BY v.vertebra_level
ORDER BY instr('CTL', left(v.vertebra_level, 1)) NULLS LAST, TRY_CAST(substr(v.vertebra_level, 2) AS INTEGER);
