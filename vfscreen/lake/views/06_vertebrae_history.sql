-- vertebrae_history: every vertebra row of every landed shard, like series_history. Rows written before radiographs were
-- screened say nothing of modality and calibration: they are of CT.
CREATE VIEW vertebrae_history AS
SELECT * REPLACE (coalesce(modality, 'CT') AS modality, coalesce(height_calibrated, true) AS height_calibrated)
FROM stored_vertebrae;
