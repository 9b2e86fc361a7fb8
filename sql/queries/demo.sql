-- The demo shop: loaded once, into a marketplace that nobody has used yet. By the tables' owner.

-- name: lock
-- Held to the end of the connection. If two first starts run at once, the second waits and finds the shop.
SELECT pg_advisory_lock(7236218842713002);

-- name: is_needed
SELECT NOT EXISTS (SELECT FROM users) AS needed;

-- name: origin
-- Which cluster and database this is: another in every copy.
SELECT change_feed_origin() AS origin;
