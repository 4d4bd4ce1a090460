-- Prevalence by ten-year age band and sex, on each patient's latest screened exam with a graded vertebra:
-- patients with at least one vertebra of grade >= 2 (and of >= 1), with the 95 % interval of Wilson (1927).
-- A missing age or sex is a band of its own, never guessed.
WITH counted AS (
    SELECT
        CASE WHEN PatientAge_years IS NULL THEN 'unknown'
             ELSE format('{}-{}', (floor(PatientAge_years / 10) * 10)::INTEGER,
                         (floor(PatientAge_years / 10) * 10)::INTEGER + 9) END AS age_band,
        coalesce(PatientSex, 'unknown') AS PatientSex,
        min(PatientAge_years) AS youngest,
        count(*)::DOUBLE AS n,
        count(*) FILTER (max_genant_grade >= 1)::DOUBLE AS k1,
        count(*) FILTER (max_genant_grade >= 2)::DOUBLE AS k2
    FROM patients
    WHERE max_genant_grade NOT NULL
    GROUP BY ALL
),
wilson AS (
    SELECT *, 1.959963984540054 AS z, k2 / n AS p, 1 + z * z / n AS scale FROM counted
)
SELECT
    age_band, PatientSex, n::BIGINT AS patients, k1::BIGINT AS patients_grade1, k2::BIGINT AS patients_grade2,
    k1 / n AS prevalence_grade1,
    p AS prevalence_grade2,
    greatest(0, (p + z * z / (2 * n) - z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / scale)
        AS prevalence_grade2_low,
    least(1, (p + z * z / (2 * n) + z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / scale)
        AS prevalence_grade2_high
FROM wilson
ORDER BY youngest NULLS LAST, PatientSex;
