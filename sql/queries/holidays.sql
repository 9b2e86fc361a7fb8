-- Days on which no store has to send anything.

-- name: list
SELECT h.day, h.name
FROM holidays AS h
WHERE h.country = %(country)s AND h.day >= current_date
ORDER BY h.day;

-- name: add
INSERT INTO holidays (country, day, name)
VALUES (%(country)s, %(day)s, %(name)s)
ON CONFLICT (country, day) DO UPDATE
SET name = excluded.name;

-- name: remove
DELETE FROM holidays
WHERE country = %(country)s AND day = %(day)s;
