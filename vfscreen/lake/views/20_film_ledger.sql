-- film_ledger: how many films of the radiograph series that went into the chain ended how, and why. One row a
-- (state, reason_code). Films of series that the index left out are in none of its rows: they are in `ledger` as series.
CREATE VIEW film_ledger AS
SELECT state, reason_code, count(*) AS film_count
FROM films
GROUP BY ALL;
