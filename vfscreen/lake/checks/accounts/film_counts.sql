-- A radiograph series that went into the chain has a row for each of its films, as many lateral ones as it says; one that
-- failed before its films were told apart has none. Vertebrae stand on films that say so.
WITH of_films AS (
    SELECT StudyInstanceUID, SeriesInstanceUID, count(*) AS film_rows, count(*) FILTER (view = 'lateral') AS lateral_rows,
           coalesce(sum(vertebra_count), 0) AS vertebrae_said, count(*) FILTER (state = 'screened') AS screened_rows
    FROM films
    GROUP BY ALL
),
of_vertebrae AS (
    SELECT StudyInstanceUID, SeriesInstanceUID, count(*) AS vertebra_rows
    FROM vertebrae SEMI JOIN films USING (StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID)
    GROUP BY ALL
)
SELECT s.StudyInstanceUID, s.SeriesInstanceUID, s.state, s.film_count, s.lateral_film_count, s.vertebra_count,
       film_rows, lateral_rows, screened_rows, vertebrae_said, vertebra_rows
FROM series AS s
LEFT JOIN of_films USING (StudyInstanceUID, SeriesInstanceUID)
LEFT JOIN of_vertebrae USING (StudyInstanceUID, SeriesInstanceUID)
WHERE (s.film_count IS NULL AND film_rows > 0)
   OR (s.film_count IS NOT NULL AND coalesce(s.stage, '') NOT IN ('scan', 'accept', 'select')
       AND (coalesce(film_rows, 0) <> CASE WHEN s.state = 'failed' AND film_rows IS NULL THEN 0 ELSE s.film_count END
            OR (s.state = 'screened' AND (coalesce(screened_rows, 0) = 0
                                          OR s.lateral_film_count IS DISTINCT FROM lateral_rows
                                          OR s.vertebra_count IS DISTINCT FROM vertebrae_said
                                          OR s.vertebra_count IS DISTINCT FROM coalesce(vertebra_rows, 0)))
            OR (s.state <> 'screened' AND coalesce(screened_rows, 0) > 0)));
