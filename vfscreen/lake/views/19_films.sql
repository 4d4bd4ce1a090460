-- films: the images of the radiograph series in `series` that went into the chain: one row a film, where it ended, the view
-- and region its pixels show, and whether its header says the same.
CREATE VIEW films AS
SELECT f.*
FROM stored_films AS f
SEMI JOIN current_series USING (StudyInstanceUID, SeriesInstanceUID, shard_id);
