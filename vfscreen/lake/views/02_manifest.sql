-- manifest: every DICOM series of the archive, as last indexed. One row a (StudyInstanceUID, SeriesInstanceUID).
CREATE VIEW manifest AS
SELECT * FROM stored_manifest;
