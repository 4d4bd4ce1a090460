-- files: every file of the archive, and every member of its zip files, as last indexed. One row a (path, member).
-- A zip file itself is one row of state 'container'; each of its members is a file with a row of its own.
CREATE VIEW files AS
SELECT * FROM stored_files;
