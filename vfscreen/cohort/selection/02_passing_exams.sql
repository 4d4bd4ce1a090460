-- passing_exams: every exam, and whether it passes each criterion of the filter on exams; a missing value passes none
-- that asks of it, unless 'unknown' is among what was asked for. density_hu is the reference the filter speaks of.
CREATE TEMP VIEW passing_exams AS
SELECT
    *,
    CASE WHEN getvariable('ask_l1_only') AND density_reference_levels IS DISTINCT FROM ['L1'] THEN NULL
         WHEN getvariable('ask_density_kind') = 'raw' THEN density_reference_hu
         ELSE density_reference_hu_corrected END AS density_hu,
    coalesce(study_date >= getvariable('ask_date_from'), getvariable('ask_date_from') IS NULL)
        AND coalesce(study_date <= getvariable('ask_date_to'), getvariable('ask_date_to') IS NULL) AS passes_date,
    coalesce(floor(PatientAge_years) >= getvariable('ask_age_min'), getvariable('ask_age_min') IS NULL)
        AND coalesce(floor(PatientAge_years) <= getvariable('ask_age_max'), getvariable('ask_age_max') IS NULL)
        AS passes_age,
    getvariable('ask_sex') IS NULL OR list_contains(getvariable('ask_sex'), coalesce(PatientSex, 'unknown'))
        AS passes_sex,
    getvariable('ask_site') IS NULL OR list_contains(getvariable('ask_site'), coalesce(InstitutionName, 'unknown'))
        AS passes_site,
    getvariable('ask_scanner') IS NULL
        OR list_has_any(getvariable('ask_scanner'),
                        [coalesce(lower(scanner), 'unknown'), lower(Manufacturer), lower(ManufacturerModelName)])
        AS passes_scanner,
    getvariable('ask_contrast') IS NULL
        OR list_contains(getvariable('ask_contrast'), coalesce(contrast_phase, 'unknown')) AS passes_contrast,
    getvariable('ask_modality') IS NULL
        OR list_contains(getvariable('ask_modality'), coalesce(Modality, 'unknown')) AS passes_modality
FROM exams;
