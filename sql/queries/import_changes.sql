-- What became of the rows of an import, or would: a hundred rows of one outcome at a time.

-- name: add
INSERT INTO import_changes (import_id, number, outcome, changes)
SELECT %(import_id)s, c.number, c.outcome, c.changes::json
FROM unnest(%(numbers)s::bigint[], %(outcomes)s::text[], %(changes)s::text[]) AS c (number, outcome, changes);

-- name: add_new
-- Rows of a batch that make products: `met` has the lines of the others. A dry run has no ids of theirs.
WITH rows AS (
    SELECT
        r.line,
        (row_number() OVER (ORDER BY r.line) - 1) / %(most)s AS chunk,
        json_build_object(
            'line', r.line,
            'product_id', CASE WHEN NOT %(dry_run)s THEN r.product_id END,
            'after', json_build_object(
                'name', r.name,
                'price', r.price::text,
                'stock',
                coalesce(r.stock, CASE WHEN r.in_stock THEN greatest(%(default_stock)s, 1) ELSE %(default_stock)s END)
            )
        ) AS change
    FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
        AND r.group_key IS NULL
        AND r.line <> ALL(%(met)s::bigint[])
)

INSERT INTO import_changes (import_id, number, outcome, changes)
SELECT %(import_id)s, min(r.line), 'added', json_agg(r.change ORDER BY r.line)
FROM rows AS r
GROUP BY r.chunk;

-- name: weigh
-- Notes how much they take, once the import has ended: they go with its report of bad rows.
UPDATE imports
SET changes_bytes = (
    SELECT coalesce(sum(pg_column_size(c.changes)), 0)
    FROM import_changes AS c
    WHERE c.import_id = %(import_id)s
)
WHERE id = %(import_id)s;

-- name: leave_out
-- Rows that turned out bad when the rest of them was applied.
UPDATE import_changes AS c
SET changes = (
    SELECT coalesce(json_agg(e.change ORDER BY e.place), '[]')
    FROM json_array_elements(c.changes) WITH ORDINALITY AS e (change, place)
    WHERE (e.change ->> 'line')::bigint <> ALL(%(lines)s::bigint[])
)
WHERE c.import_id = %(import_id)s AND c.outcome = 'changed' AND c.number <= (SELECT max(l) FROM unnest(%(lines)s::bigint[]) AS l);

-- name: search
-- The next ones behind a place: that of their hundred, and of the row in it.
SELECT c.number, e.place::integer AS place, c.outcome, e.change
FROM import_changes AS c
CROSS JOIN LATERAL json_array_elements(c.changes) WITH ORDINALITY AS e (change, place)
WHERE c.import_id = %(import_id)s
    AND c.number >= %(number)s
    AND (c.number > %(number)s OR e.place > %(place)s)
    AND (%(outcome)s::text IS NULL OR c.outcome = %(outcome)s)
ORDER BY c.number, e.place
LIMIT %(limit)s;
