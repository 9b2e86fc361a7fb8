-- Taxes of a country. Closed and added by hand, never edited.

-- name: list
-- Those in force or still to come, as of a country as of all; the newest first.
SELECT t.id, t.country, t.name, t.rate, t.included, t.category_id, t.active_from, t.active_to
FROM tax_rates AS t
WHERE t.active_to IS NULL OR t.active_to > now()
ORDER BY t.country, t.category_id NULLS FIRST, t.id DESC;

-- name: otherwise
-- Rates of a country in force that are in the prices where this one is on top, or the other way round.
SELECT t.id
FROM tax_rates AS t
WHERE t.country = %(country)s
    AND t.included <> %(included)s
    AND (t.active_to IS NULL OR t.active_to > now())
ORDER BY t.id;

-- name: add
INSERT INTO tax_rates (country, name, rate, included, category_id)
VALUES (%(country)s, %(name)s, %(rate)s, %(included)s, %(category_id)s)
RETURNING id;

-- name: lock
-- Rates are added and closed one after the other.
SELECT pg_advisory_xact_lock(hashtext('marketplace.tax_rates'));

-- name: close
UPDATE tax_rates
SET active_to = now()
WHERE id = %(rate_id)s
    AND (active_to IS NULL OR active_to > now())
RETURNING id;
