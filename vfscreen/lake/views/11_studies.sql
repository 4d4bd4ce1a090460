-- studies: one row a study of a patient: when, how its series ended, and the worst that was found on any of them.
-- study_date is null where StudyDate is missing or no date. SDI is that of the series with most levels assessed.
-- Scanner, kernel, tube voltage, contrast and density are those of one chosen series, so that they belong together: of
-- the screened ones that whose density was read and corrected, then read, then the one with most graded vertebrae.
-- modalities: of the screened series, by name. film_count: films of its radiograph series; null without any.
CREATE VIEW studies AS
SELECT
    StudyInstanceUID,
    patient_pseudonym,
    coalesce(patient_pseudonym, 'study ' || StudyInstanceUID) AS patient_key,
    study_date,
    PatientAge_years,
    PatientSex,
    InstitutionName,
    series_count, screened_count, rejected_count, failed_count, pending_count,
    modalities, film_count,
    vertebra_count, graded_vertebra_count, max_genant_grade, sdi, sdi_levels_assessed,
    fracture_probability, grade2_probability, level_certain, overlay_path,
    chosen.SeriesInstanceUID AS chosen_SeriesInstanceUID,
    chosen.Modality,
    chosen.Manufacturer,
    chosen.ManufacturerModelName,
    chosen.ConvolutionKernel,
    chosen.KVP_kV,
    chosen.SliceThickness_mm,
    chosen.contrast_phase,
    chosen.density_reference_hu,
    chosen.density_reference_hu_corrected,
    chosen.density_reference_levels,
    chosen.density_category
FROM (
    SELECT
        m.StudyInstanceUID,
        m.patient_pseudonym,
        try_strptime(max(m.StudyDate), '%Y%m%d')::DATE AS study_date,
        max(m.PatientAge_years) AS PatientAge_years,
        max(m.PatientSex) AS PatientSex,
        max(m.InstitutionName) AS InstitutionName,
        count(*) AS series_count,
        count(*) FILTER (s.state = 'screened') AS screened_count,
        count(*) FILTER (s.state = 'rejected') AS rejected_count,
        count(*) FILTER (s.state = 'failed') AS failed_count,
        count(*) FILTER (s.state IS NULL) AS pending_count,
        list_sort(list(DISTINCT s.Modality) FILTER (s.state = 'screened')) AS modalities,
        sum(s.film_count)::BIGINT AS film_count,
        sum(s.vertebra_count)::BIGINT AS vertebra_count,
        sum(s.graded_vertebra_count)::BIGINT AS graded_vertebra_count,
        max(s.max_genant_grade) AS max_genant_grade,
        arg_max(s.sdi, row(len(s.sdi_levels_assessed), s.sdi, s.SeriesInstanceUID)) AS sdi,
        arg_max(s.sdi_levels_assessed, row(len(s.sdi_levels_assessed), s.sdi, s.SeriesInstanceUID))
            AS sdi_levels_assessed,
        max(s.patient_fracture_probability) AS fracture_probability,
        max(s.patient_grade2_probability) AS grade2_probability,
        bool_and(s.level_certain) AS level_certain,
        arg_max(s.overlay_path, row(coalesce(s.patient_grade2_probability, -1), s.SeriesInstanceUID)) AS overlay_path,
        arg_max(
            {
                'SeriesInstanceUID': s.SeriesInstanceUID,
                'Modality': s.Modality,
                'Manufacturer': s.Manufacturer,
                'ManufacturerModelName': s.ManufacturerModelName,
                'ConvolutionKernel': s.ConvolutionKernel,
                'KVP_kV': s.KVP_kV,
                'SliceThickness_mm': s.SliceThickness_mm,
                'contrast_phase': s.contrast_phase,
                'density_reference_hu': s.density_reference_hu,
                'density_reference_hu_corrected': s.density_reference_hu_corrected,
                'density_reference_levels': s.density_reference_levels,
                'density_category': s.density_category
            },
            row(
                s.density_reference_hu_corrected IS NOT NULL,
                s.density_reference_hu IS NOT NULL,
                coalesce(s.graded_vertebra_count, 0),
                s.SeriesInstanceUID
            )
        ) FILTER (s.state = 'screened') AS chosen
    FROM stored_manifest AS m
    LEFT JOIN series AS s USING (StudyInstanceUID, SeriesInstanceUID)
    GROUP BY m.StudyInstanceUID, m.patient_pseudonym
);
