-- Incident fractures between a patient's exams, consecutive ones by date, CT with CT and radiograph with radiograph (a
-- difference of method is no fracture): the same level graded on both, no fracture on the earlier and one on the later. Groups are of the earlier exam. Levels whose numbering is not certain on both are left out
-- and counted (pairs_level_uncertain), unless asked for. vanished: fractured before, not after: a measure of error.
-- When in the interval it broke is unknown: the rate is of interval-censored times with a constant hazard (see
-- docs/queries.md), a patient's first fracture in an interval being the event, with its 95 % profile-likelihood interval.
-- Denominator: person-years of intervals with a paired level; intervals_not_paired have none and are not in it.
WITH dated AS MATERIALIZED (
    SELECT
        patient_id, exam_id AS later_id, study_date AS later_date,
        lag(exam_id) OVER in_time AS earlier_id, lag(study_date) OVER in_time AS earlier_date,
        lag(age_band) OVER in_time AS age_band, lag(floor(PatientAge_years / 10)) OVER in_time AS band,
        lag(PatientSex) OVER in_time AS PatientSex, lag(InstitutionName) OVER in_time AS InstitutionName,
        lag(study_year) OVER in_time AS study_year, lag(scanner) OVER in_time AS scanner
    FROM counted_exams
    WHERE study_date NOT NULL AND exam_count > 1
    WINDOW in_time AS (PARTITION BY patient_id, coalesce(Modality, 'CT') = 'CT' ORDER BY exam_order)
),
intervals AS MATERIALIZED (
    SELECT *, (later_date - earlier_date) / 365.25 AS years
    FROM dated
    WHERE later_date > earlier_date
),
before AS (
    SELECT i.later_id, v.vertebra_level, v.level_certain, v.grade, v.fractured
    FROM chosen_vertebrae AS v
    JOIN intervals AS i ON i.earlier_id = v.exam_id
),
judged AS (
    SELECT
        b.later_id,
        b.grade AS grade_before, a.grade AS grade_after,
        b.fractured AS fractured_before, a.fractured AS fractured_after,
        b.grade NOT NULL AND a.grade NOT NULL AS graded,
        graded AND ((b.level_certain AND a.level_certain) OR NOT coalesce(getvariable('ask_level_certain'), true))
            AS counts
    FROM before AS b
    JOIN chosen_vertebrae AS a ON a.exam_id = b.later_id AND a.vertebra_level = b.vertebra_level
),
per_interval AS (
    SELECT
        later_id,
        count(*) FILTER (counts) AS vertebra_pairs,
        count(*) FILTER (graded AND NOT counts) AS pairs_level_uncertain,
        count(*) FILTER (NOT graded) AS pairs_not_graded,
        count(*) FILTER (counts AND NOT fractured_before AND fractured_after) AS incident_vertebrae,
        count(*) FILTER (counts AND fractured_before AND grade_after > grade_before) AS worsened_vertebrae,
        count(*) FILTER (counts AND fractured_before AND NOT fractured_after) AS vanished_vertebrae
    FROM judged
    GROUP BY later_id
)
SELECT
    group_label('age', age_band) AS age_band,
    group_label('sex', PatientSex) AS PatientSex,
    group_label('site', InstitutionName) AS InstitutionName,
    group_label('year', study_year::VARCHAR) AS study_year,
    group_label('scanner', scanner) AS scanner,
    count(DISTINCT patient_id) FILTER (p.vertebra_pairs > 0) AS patients,
    count(*) FILTER (p.vertebra_pairs > 0) AS intervals,
    count(*) FILTER (coalesce(p.vertebra_pairs, 0) = 0) AS intervals_not_paired,
    coalesce(sum(years) FILTER (p.vertebra_pairs > 0), 0) AS person_years,
    coalesce(sum(p.vertebra_pairs), 0)::BIGINT AS vertebra_pairs,
    coalesce(sum(p.pairs_level_uncertain), 0)::BIGINT AS pairs_level_uncertain,
    coalesce(sum(p.pairs_not_graded), 0)::BIGINT AS pairs_not_graded,
    coalesce(sum(p.incident_vertebrae), 0)::BIGINT AS incident_vertebrae,
    coalesce(sum(p.worsened_vertebrae), 0)::BIGINT AS worsened_vertebrae,
    coalesce(sum(p.vanished_vertebrae), 0)::BIGINT AS vanished_vertebrae,
    count(*) FILTER (p.incident_vertebrae > 0) AS incident_intervals,
    count(DISTINCT patient_id) FILTER (p.incident_vertebrae > 0) AS incident_patients,
    coalesce(sum(years) FILTER (p.vertebra_pairs > 0 AND p.incident_vertebrae = 0), 0) AS event_free_years,
    coalesce(list(years ORDER BY years) FILTER (p.incident_vertebrae > 0), []) AS event_interval_years
FROM intervals
LEFT JOIN per_interval AS p USING (later_id)
GROUP BY 1, 2, 3, 4, 5
ORDER BY min(CASE WHEN list_contains(getvariable('ask_by'), 'age') THEN band END) NULLS LAST, age_band, PatientSex, InstitutionName, study_year, scanner;
