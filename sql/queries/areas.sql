-- Administrative areas of a country. A code begins with that of the area it is in.

-- fragment: above
-- Names of the areas it is in, the largest first.
ARRAY(
    SELECT b.name
    FROM generate_series(1, a.level - 1) AS s (n)
    JOIN areas AS b
        ON b.country = a.country
        AND b.code = array_to_string((string_to_array(a.code, '.'))[1:s.n], '.')
    ORDER BY s.n
) AS path

-- name: list
-- budget: 200 buffers
-- The areas in another one, or the largest of the country.
SELECT
    a.code, a.name, a.level, a.postcodes,
    /* include: above */
FROM areas AS a
WHERE a.country = %(country)s
    AND a.level = coalesce(cardinality(string_to_array(%(parent)s::text, '.')), 0) + 1
    AND (%(parent)s::text IS NULL OR (a.code > %(parent)s || '.' AND a.code < %(parent)s || '/'))
    AND (%(after_code)s::text IS NULL OR a.code > %(after_code)s)
ORDER BY a.code
LIMIT %(limit)s;

-- name: search
-- budget: 600 buffers
-- Those whose name begins so. The index knows names without the word for a city or a regency.
SELECT
    a.code, a.name, a.level, a.name_key, a.postcodes,
    /* include: above */
FROM areas AS a
WHERE a.country = %(country)s
    AND a.name_key >= area_key(%(search)s)
    AND a.name_key < area_key(%(search)s) || chr(1114111)
    AND starts_with(a.name_key, area_key(%(search)s))
    AND (a.name_key, a.code) > (%(after_key)s::text COLLATE "C", %(after_code)s::text COLLATE "C")
    AND (%(parent)s::text IS NULL OR starts_with(a.code, %(parent)s || '.'))
ORDER BY a.name_key, a.code
LIMIT %(limit)s;

-- name: find
-- An area with the names of those above it and its own; known is whether the country has any.
SELECT
    ARRAY(
        SELECT b.name
        FROM generate_series(1, cardinality(string_to_array(%(code)s::text, '.'))) AS s (n)
        JOIN areas AS b
            ON b.country = %(country)s
            AND b.code = array_to_string((string_to_array(%(code)s::text, '.'))[1:s.n], '.')
        ORDER BY s.n
    ) AS names,
    (SELECT a.postcodes FROM areas AS a WHERE a.country = %(country)s AND a.code = %(code)s) AS postcodes,
    (SELECT count(*) > 0 FROM areas AS a WHERE a.country = %(country)s AND a.code = %(code)s) AS there,
    (SELECT true FROM areas AS a WHERE a.country = %(country)s LIMIT 1) IS NOT NULL AS known;

-- name: load
-- By the owner of the tables. Postcodes that a file does not say stay.
INSERT INTO areas AS a (country, code, level, name, postcodes)
SELECT
    %(country)s, l.code, cardinality(string_to_array(l.code, '.')), l.name,
    coalesce(string_to_array(nullif(l.postcodes, ''), ' '), '{}')
FROM unnest(%(codes)s::text[], %(names)s::text[], %(postcodes)s::text[]) AS l (code, name, postcodes)
ON CONFLICT (country, code) DO UPDATE
SET name = excluded.name,
    postcodes = CASE excluded.postcodes WHEN '{}' THEN a.postcodes ELSE excluded.postcodes END
WHERE a.name <> excluded.name OR (excluded.postcodes <> '{}' AND a.postcodes <> excluded.postcodes);

-- name: forget_others
-- Areas that are not any more.
DELETE FROM areas AS a
WHERE a.country = %(country)s
    AND NOT EXISTS (SELECT FROM unnest(%(codes)s::text[]) AS l (code) WHERE l.code = a.code);
