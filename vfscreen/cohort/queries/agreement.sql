-- CT against radiograph of the same patient and level: one row for all levels, then one a level, from the head down. Each
-- exam with radiographs alone is paired with the patient's CT exam nearest in time (of two the earlier), at most days_max
-- (365) days away; studies that hold both kinds are left out (mixed_exams), since a level counts once in an exam.
-- Differences are radiograph less CT, of the loss the filter speaks of; limits are mean -+ 1.96 SD (Bland and Altman,
-- Lancet 1986). kappa: of fractured or not (grade_min; Cohen 1960), weighted_kappa: of grades 0-3, linear weights.
-- Intervals are 95 % and take vertebrae as independent. A fracture between the two exams counts as disagreement.
WITH sides AS MATERIALIZED (
    SELECT
        exam_id, patient_id, study_date,
        modalities = ['CT'] AS is_ct,
        NOT list_contains(modalities, 'CT') AS is_film
    FROM counted_exams
    WHERE study_date NOT NULL
),
exam_pairs AS MATERIALIZED (
    SELECT f.patient_id, f.exam_id AS film_id, c.exam_id AS ct_id, abs(f.study_date - c.study_date) AS days_apart
    FROM sides AS f
    JOIN sides AS c ON c.patient_id = f.patient_id AND c.is_ct
    WHERE f.is_film AND abs(f.study_date - c.study_date) <= coalesce(getvariable('ask_days_max'), 365)
    QUALIFY row_number() OVER (PARTITION BY f.exam_id ORDER BY days_apart, c.study_date, c.exam_id) = 1
),
on_film AS (
    SELECT p.patient_id, p.film_id, p.ct_id, p.days_apart, v.vertebra_level, v.level_certain, v.grade, v.loss, v.fractured
    FROM chosen_vertebrae AS v
    JOIN exam_pairs AS p ON p.film_id = v.exam_id
    WHERE v.vertebra_level NOT NULL
),
paired AS MATERIALIZED (
    SELECT
        f.patient_id, f.film_id, f.days_apart, f.vertebra_level,
        c.grade AS ct_grade, f.grade AS film_grade, f.loss - c.loss AS difference,
        c.fractured AS ct_fractured, f.fractured AS film_fractured,
        c.grade NOT NULL AND f.grade NOT NULL AS graded,
        c.level_certain AND f.level_certain AS certain
    FROM on_film AS f
    JOIN chosen_vertebrae AS c ON c.exam_id = f.ct_id AND c.vertebra_level = f.vertebra_level
),
rows_of AS MATERIALIZED (
    SELECT unnest(['all', vertebra_level]) AS vertebra_level, * EXCLUDE (vertebra_level) FROM paired
),
-- expected distance of two grades drawn apart from the two sides: the weighted kappa's denominator
marginals AS (
    SELECT vertebra_level, unnest([0, 1, 2, 3]) AS grade,
        unnest([count(*) FILTER (ct_grade = 0), count(*) FILTER (ct_grade = 1), count(*) FILTER (ct_grade = 2),
                count(*) FILTER (ct_grade = 3)]) AS ct_count,
        unnest([count(*) FILTER (film_grade = 0), count(*) FILTER (film_grade = 1), count(*) FILTER (film_grade = 2),
                count(*) FILTER (film_grade = 3)]) AS film_count
    FROM rows_of
    WHERE graded
    GROUP BY vertebra_level
),
expected AS (
    SELECT a.vertebra_level,
        sum(abs(a.grade - b.grade) * a.ct_count * b.film_count) / (sum(a.ct_count * b.film_count)) AS grade_distance
    FROM marginals AS a JOIN marginals AS b USING (vertebra_level)
    GROUP BY a.vertebra_level
),
counted AS (
    SELECT
        vertebra_level,
        count(DISTINCT patient_id) FILTER (graded) AS patients,
        count(DISTINCT film_id) FILTER (graded) AS exam_pairs,
        count(*) FILTER (graded) AS vertebra_pairs,
        count(*) FILTER (NOT graded) AS pairs_not_graded,
        count(*) FILTER (graded AND NOT coalesce(certain, false)) AS pairs_level_uncertain,
        median(days_apart) FILTER (graded) AS median_days_apart,
        max(days_apart) FILTER (graded) AS max_days_apart,
        count(*) FILTER (graded AND ct_grade = film_grade) AS same_grade,
        count(*) FILTER (graded AND film_grade > ct_grade) AS film_higher,
        count(*) FILTER (graded AND film_grade < ct_grade) AS film_lower,
        count(*) FILTER (graded AND ct_fractured AND film_fractured) AS both_fractured,
        count(*) FILTER (graded AND ct_fractured AND NOT film_fractured) AS ct_only,
        count(*) FILTER (graded AND NOT ct_fractured AND film_fractured) AS film_only,
        count(*) FILTER (graded AND NOT ct_fractured AND NOT film_fractured) AS neither,
        avg(abs(ct_grade - film_grade)) FILTER (graded) AS observed_distance,
        count(difference) AS losses,
        avg(difference) AS mean_loss_difference,
        stddev_samp(difference) AS sd_loss_difference
    FROM rows_of
    GROUP BY vertebra_level
),
chance AS (
    SELECT *,
        share(both_fractured + neither, vertebra_pairs) AS observed,
        ((both_fractured + ct_only) * (both_fractured + film_only) + (neither + ct_only) * (neither + film_only))
            / nullif(vertebra_pairs * vertebra_pairs, 0) AS by_chance
    FROM counted
),
judged AS (
    SELECT *,
        (observed - by_chance) / nullif(1 - by_chance, 0) AS kappa,
        sqrt(observed * (1 - observed) / nullif(vertebra_pairs, 0)) / nullif(1 - by_chance, 0) AS kappa_se
    FROM chance
)
SELECT
    vertebra_level, patients, exam_pairs,
    (SELECT count(*) FROM sides WHERE NOT is_ct AND NOT is_film) AS mixed_exams,
    vertebra_pairs, pairs_not_graded, pairs_level_uncertain, median_days_apart, max_days_apart,
    same_grade, film_higher, film_lower, share(same_grade, vertebra_pairs) AS same_grade_share,
    wilson_low(same_grade, vertebra_pairs) AS same_grade_share_low,
    wilson_high(same_grade, vertebra_pairs) AS same_grade_share_high,
    both_fractured, ct_only, film_only, neither,
    kappa,
    CASE WHEN kappa NOT NULL THEN greatest(-1.0, kappa - 1.959963984540054 * kappa_se) END AS kappa_low,
    CASE WHEN kappa NOT NULL THEN least(1.0, kappa + 1.959963984540054 * kappa_se) END AS kappa_high,
    1 - observed_distance / nullif(grade_distance, 0) AS weighted_kappa,
    mean_loss_difference,
    mean_loss_difference - 1.959963984540054 * sd_loss_difference / sqrt(losses) AS mean_loss_difference_low,
    mean_loss_difference + 1.959963984540054 * sd_loss_difference / sqrt(losses) AS mean_loss_difference_high,
    sd_loss_difference,
    mean_loss_difference - 1.96 * sd_loss_difference AS limit_low,
    mean_loss_difference + 1.96 * sd_loss_difference AS limit_high
FROM judged
LEFT JOIN expected USING (vertebra_level)
ORDER BY vertebra_level <> 'all', instr('CTL', left(vertebra_level, 1)), TRY_CAST(substr(vertebra_level, 2) AS INTEGER);
