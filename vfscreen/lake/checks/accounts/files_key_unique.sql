-- A file, or a member of a zip file, was seen once.
SELECT path, member, count(*) AS row_count
FROM files
GROUP BY ALL
HAVING count(*) > 1;
