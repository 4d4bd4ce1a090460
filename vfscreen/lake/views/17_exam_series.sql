-- exam_series: how every series of the archive ended, with the little that flow and drift count by. One row a series of
-- the manifest; state is 'pending' until a sweep reaches it. exam_id joins `exams` where the study has one.
CREATE VIEW exam_series AS
SELECT
    hash(m.StudyInstanceUID, coalesce(m.patient_pseudonym, 'study ' || m.StudyInstanceUID)) AS exam_id,
    coalesce(s.state, 'pending') AS state,
    s.stage,
    s.reason_code,
    m.selected,
    try_strptime(m.StudyDate, '%Y%m%d')::DATE AS study_date,
    year(try_strptime(m.StudyDate, '%Y%m%d'))::INTEGER AS study_year,
    m.InstitutionName,
    m.Modality,
    m.Manufacturer,
    m.ManufacturerModelName,
    nullif(concat_ws(' ', m.Manufacturer, m.ManufacturerModelName), '') AS scanner,
    m.ConvolutionKernel
FROM stored_manifest AS m
LEFT JOIN series AS s USING (StudyInstanceUID, SeriesInstanceUID);
