-- The values that operators watch.

-- name: state
SELECT s.name, s.label, s.value, s.words
FROM service_state() AS s;
