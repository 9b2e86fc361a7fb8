-- What must always be so: the views of the schema `invariants` (migrations/V0047__invariants.sql).

-- name: broken
-- A row for each that does not hold: how often, and one place.
SELECT b.name, b.broken, b.example
FROM broken_invariants() AS b
ORDER BY b.name;
