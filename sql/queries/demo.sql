-- The demo shop: loaded once, into a marketplace that nobody has used yet. By the tables' owner.

-- name: lock
-- To the end of the connection: of two first starts, the second waits and finds the shop there.
SELECT pg_advisory_lock(7236218842713002);

-- name: is_needed
SELECT NOT EXISTS (SELECT FROM users) AS needed;
