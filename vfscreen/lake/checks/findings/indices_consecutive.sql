-- vertebra_index counts from 0 at the top without a hole.
SELECT StudyInstanceUID, SeriesInstanceUID, min(vertebra_index) AS first_index, max(vertebra_index) AS last_index,
       count(*) AS row_count
FROM vertebrae
GROUP BY ALL
HAVING first_index <> 0 OR last_index <> row_count - 1;
