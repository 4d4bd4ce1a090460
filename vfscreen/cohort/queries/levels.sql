-- Vertebra levels from the head down: how often each was seen, graded and fractured, on each patient's latest screened
-- exam. Denominator of fractured_share: the graded vertebrae of the level (one a patient, so Wilson's 95 % interval
-- holds). Densities are of vertebrae whose region is valid, raw and corrected.
SELECT
    coalesce(vertebra_level, 'unknown') AS vertebra_level,
    count(*) AS vertebrae,
    count(grade) AS graded,
    count(*) FILTER (truncated) AS truncated,
    count(*) FILTER (NOT level_certain) AS level_uncertain,
    count(*) FILTER (grade >= 1) AS grade1_or_more,
    count(*) FILTER (grade >= 2) AS grade2_or_more,
    count(*) FILTER (grade >= 3) AS grade3,
    count(*) FILTER (fractured) AS fractured,
    share(count(*) FILTER (fractured), count(grade)) AS fractured_share,
    wilson_low(count(*) FILTER (fractured), count(grade)) AS fractured_share_low,
    wilson_high(count(*) FILTER (fractured), count(grade)) AS fractured_share_high,
    avg(height_loss_ratio_adjusted) AS mean_height_loss_ratio_adjusted,
    avg(height_loss_ratio_raw) AS mean_height_loss_ratio_raw,
    count(*) FILTER (density_valid) AS density_valid,
    avg(trabecular_hu_mean) FILTER (density_valid) AS mean_trabecular_hu,
    avg(trabecular_hu_corrected) FILTER (density_valid) AS mean_trabecular_hu_corrected
FROM chosen_vertebrae
SEMI JOIN counted_exams USING (exam_id)
GROUP BY vertebra_level
ORDER BY instr('CTL', left(vertebra_level, 1)) NULLS LAST, TRY_CAST(substr(vertebra_level, 2) AS INTEGER);
