-- Drift of the model's outputs by year, scanner and kernel, all exams that pass the filter: a step between years on one
-- scanner and kernel that patients do not explain is the machine's or ours. *_change is against the year before that has
-- exams of the same scanner and kernel. Denominators: rejected_share of series that reached an end, failed_share of series
-- that went into the chain; fractured_share of graded vertebrae; certain_share of vertebrae. Series are limited by date,
-- site and scanner only, with every other series of those studies.
WITH outcomes AS (
    SELECT
        coalesce(study_year::VARCHAR, 'unknown') AS study_year,
        coalesce(scanner, 'unknown') AS scanner,
        coalesce(ConvolutionKernel, 'unknown') AS ConvolutionKernel,
        count(*) AS series,
        count(*) FILTER (state = 'screened') AS series_screened,
        count(*) FILTER (state = 'rejected') AS series_rejected,
        count(*) FILTER (state = 'failed') AS series_failed,
        count(*) FILTER (state = 'pending') AS series_pending
    FROM exam_series
    WHERE (getvariable('ask_site') IS NULL
           OR list_contains(getvariable('ask_site'), coalesce(InstitutionName, 'unknown')))
      AND (getvariable('ask_scanner') IS NULL
           OR list_has_any(getvariable('ask_scanner'),
                           [coalesce(lower(scanner), 'unknown'), lower(Manufacturer), lower(ManufacturerModelName)]))
      AND coalesce(study_date >= getvariable('ask_date_from'), getvariable('ask_date_from') IS NULL)
      AND coalesce(study_date <= getvariable('ask_date_to'), getvariable('ask_date_to') IS NULL)
    GROUP BY 1, 2, 3
),
located AS MATERIALIZED (
    SELECT
        exam_id,
        coalesce(study_year::VARCHAR, 'unknown') AS study_year,
        coalesce(scanner, 'unknown') AS scanner,
        coalesce(ConvolutionKernel, 'unknown') AS ConvolutionKernel
    FROM counted_exams
),
-- millions of vertebrae are grouped by a number, not by three texts
places AS MATERIALIZED (
    SELECT *, row_number() OVER ()::INTEGER AS place
    FROM (SELECT study_year, scanner, ConvolutionKernel, count(*) AS exams FROM located GROUP BY ALL)
),
vertebra_outputs AS (
    SELECT
        place,
        count(*) AS vertebrae,
        count(grade) AS graded_vertebrae,
        avg(loss) AS mean_loss,
        share(count(*) FILTER (fractured), count(grade)) AS fractured_share,
        share(count(*) FILTER (grade >= 2), count(grade)) AS grade2_share,
        avg(trabecular_hu_mean) FILTER (density_valid) AS mean_trabecular_hu,
        avg(detection_probability) AS mean_detection_probability,
        avg(level_probability) AS mean_level_probability,
        share(count(*) FILTER (level_certain), count(*)) AS certain_share
    FROM chosen_vertebrae
    JOIN (SELECT exam_id, place FROM located JOIN places USING (study_year, scanner, ConvolutionKernel))
        USING (exam_id)
    GROUP BY place
),
outputs AS (
    SELECT * EXCLUDE (place) FROM places LEFT JOIN vertebra_outputs USING (place)
)
SELECT
    study_year, scanner, ConvolutionKernel,
    coalesce(series, 0) AS series, coalesce(series_screened, 0) AS series_screened,
    coalesce(series_rejected, 0) AS series_rejected, coalesce(series_failed, 0) AS series_failed,
    coalesce(series_pending, 0) AS series_pending,
    share(series_rejected, series - series_pending) AS rejected_share,
    share(series_failed, series_screened + series_failed) AS failed_share,
    coalesce(exams, 0) AS exams, coalesce(vertebrae, 0) AS vertebrae, coalesce(graded_vertebrae, 0) AS graded_vertebrae,
    mean_loss,
    mean_loss - lag(mean_loss) OVER years AS mean_loss_change,
    fractured_share,
    fractured_share - lag(fractured_share) OVER years AS fractured_share_change,
    grade2_share,
    mean_trabecular_hu,
    mean_trabecular_hu - lag(mean_trabecular_hu) OVER years AS mean_trabecular_hu_change,
    mean_detection_probability, mean_level_probability, certain_share
FROM outputs
FULL JOIN outcomes USING (study_year, scanner, ConvolutionKernel)
WINDOW years AS (PARTITION BY scanner, ConvolutionKernel, exams IS NULL OR study_year = 'unknown' ORDER BY study_year)
ORDER BY scanner, ConvolutionKernel, study_year;
