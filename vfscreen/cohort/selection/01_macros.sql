-- macros: the interval of Wilson (J Am Stat Assoc 22, 1927) for k of n, 95 %, null for n = 0; and the label of a group
-- a query was asked to tell apart: 'all' where it was not, 'unknown' where the value is missing.
CREATE TEMP MACRO wilson_low(k, n) AS CASE WHEN n > 0 THEN greatest(0.0,
    (k / n + 1.959963984540054 ** 2 / (2 * n)
     - 1.959963984540054 * sqrt(k / n * (1 - k / n) / n + 1.959963984540054 ** 2 / (4.0 * n * n)))
    / (1 + 1.959963984540054 ** 2 / n)) END;
CREATE TEMP MACRO wilson_high(k, n) AS CASE WHEN n > 0 THEN least(1.0,
    (k / n + 1.959963984540054 ** 2 / (2 * n)
     + 1.959963984540054 * sqrt(k / n * (1 - k / n) / n + 1.959963984540054 ** 2 / (4.0 * n * n)))
    / (1 + 1.959963984540054 ** 2 / n)) END;
CREATE TEMP MACRO share(k, n) AS CASE WHEN n > 0 THEN k / n END;
CREATE TEMP MACRO group_label(name, value) AS
    CASE WHEN list_contains(getvariable('ask_by'), name) THEN coalesce(value, 'unknown') ELSE 'all' END;
