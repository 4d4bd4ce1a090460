-- counted_exams: of the chosen exams those below the density that was asked for; all where none was.
CREATE TEMP VIEW counted_exams AS
SELECT *
FROM chosen_exams
WHERE getvariable('ask_density_below_hu') IS NULL OR density_hu < getvariable('ask_density_below_hu');
