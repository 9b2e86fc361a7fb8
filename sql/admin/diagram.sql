-- What the diagram of the tables of trade (docs/selling.svg) is drawn from. By tools/trade_diagram.py.

-- name: columns
-- Keys first, then what refers to other tables, then a few that say what a row is about.
SELECT
    c.relname AS table, a.attname AS column,
    coalesce(a.attnum = ANY(k.conkey), false) AS is_key
FROM pg_class AS c
JOIN unnest(%(tables)s::text[]) AS t (name) ON t.name = c.relname
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype = 'p'
WHERE c.relnamespace = 'public'::regnamespace
    AND (
        a.attnum = ANY(k.conkey)
        OR a.attname = ANY(%(shown)s::text[])
        OR EXISTS (
            SELECT
            FROM pg_constraint AS f
            WHERE f.conrelid = c.oid AND f.contype = 'f' AND a.attnum = ANY(f.conkey)
        )
    )
ORDER BY c.relname, coalesce(a.attnum = ANY(k.conkey), false) DESC, a.attnum;

-- name: references
SELECT DISTINCT c.relname AS one, r.relname AS other
FROM pg_constraint AS f
JOIN pg_class AS c ON c.oid = f.conrelid
JOIN pg_class AS r ON r.oid = f.confrelid
WHERE f.contype = 'f'
    AND c.relnamespace = 'public'::regnamespace
    AND c.relname = ANY(%(tables)s::text[])
    AND r.relname = ANY(%(tables)s::text[])
ORDER BY c.relname, r.relname;
