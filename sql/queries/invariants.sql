-- What must always be so: the views of the schema `invariants` (migrations/V0047__invariants.sql).

-- name: broken
-- A row for each that does not hold: how often, and one place.
SELECT b.name, b.broken, b.example
FROM broken_invariants() AS b
ORDER BY b.name;

-- name: forget
-- Before a proof is kept: views may have gone since the last.
DELETE FROM gauges AS g
WHERE g.name = 'invariants_broken';

-- name: keep
-- How often each was found broken, and 0 for those that hold.
INSERT INTO gauges (name, label, value, measured_at)
SELECT 'invariants_broken', c.relname, coalesce(b.broken, 0), clock_timestamp()
FROM pg_class AS c
LEFT JOIN unnest(%(names)s::text[], %(counts)s::bigint[]) AS b (name, broken) ON b.name = c.relname
WHERE c.relnamespace = 'invariants'::regnamespace AND c.relkind = 'v';
