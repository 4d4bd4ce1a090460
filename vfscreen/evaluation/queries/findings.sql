-- findings: every vertebra the lake holds of the studies of the reference standard, of each series' newest release.
SELECT v.*
FROM vertebrae AS v
SEMI JOIN reference_studies USING (StudyInstanceUID)
ORDER BY v.StudyInstanceUID, v.SeriesInstanceUID, v.vertebra_index;
