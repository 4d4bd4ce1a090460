-- A receipt counts the film rows of its shard.
SELECT r.shard_id, r.film_count, count(f.SOPInstanceUID) AS film_rows
FROM receipts AS r
LEFT JOIN stored_films AS f USING (shard_id)
GROUP BY ALL
HAVING film_rows <> coalesce(r.film_count, 0);
