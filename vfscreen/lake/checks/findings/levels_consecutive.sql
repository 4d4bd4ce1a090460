-- Levels follow each other from the head down: within C, T or L the number grows with vertebra_index, and neighbours
-- across a border are C7-T1, or L1 after T11, T12 or T13; an absent T12 and a T13 are anatomy. Each film is a column.
WITH ranked AS (
    SELECT StudyInstanceUID, SeriesInstanceUID, vertebra_index, vertebra_level,
           lag(vertebra_level) OVER column_down AS level_above,
           vertebra_index - lag(vertebra_index) OVER column_down AS steps
    FROM vertebrae
    WHERE vertebra_level NOT NULL
    WINDOW column_down AS (PARTITION BY StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID ORDER BY vertebra_index)
)
SELECT *
FROM ranked
WHERE level_above NOT NULL
  AND CASE
        WHEN left(level_above, 1) = left(vertebra_level, 1)
        THEN CAST(substr(vertebra_level, 2) AS INTEGER) - CAST(substr(level_above, 2) AS INTEGER) <> steps
        WHEN steps = 1
        THEN NOT ((level_above = 'C7' AND vertebra_level = 'T1')
                  OR (level_above IN ('T11', 'T12', 'T13') AND vertebra_level = 'L1'))
        ELSE left(level_above, 1) > left(vertebra_level, 1) AND left(level_above, 1) <> 'T'
      END;
