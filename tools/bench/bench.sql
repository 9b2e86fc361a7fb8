-- Measuring the generated shop, by the owner of its tables.

-- name: backends
-- Processes of the server that work for this database, and those in the background that write for all; not this one.
SELECT a.pid
FROM pg_stat_activity AS a
WHERE (a.datname = current_database() OR a.datname IS NULL) AND a.pid <> pg_backend_pid();

-- name: seller
-- The owner of the largest store.
SELECT s.owner_id AS user_id
FROM stores AS s
WHERE s.id = %(store_id)s;

-- name: sign_in
INSERT INTO auth.sessions (user_id, secret_hash, expires_at)
VALUES (%(user_id)s, %(session_hash)s, now() + make_interval(secs => %(seconds)s));

-- name: make_cart
INSERT INTO carts (user_id)
VALUES (%(user_id)s)
ON CONFLICT DO NOTHING;

-- name: fill_cart
INSERT INTO cart_lines (user_id, product_id, quantity)
SELECT %(user_id)s, p.id, 1
FROM unnest(%(products)s::bigint[]) AS p (id)
ON CONFLICT DO NOTHING;

-- name: last_product
SELECT coalesce(max(p.id), 0) AS id
FROM products AS p;

-- name: forget_products
-- What a bench has created; rows that hang on the products go with them.
DELETE FROM products
WHERE id > %(id)s;

-- name: forget_changes
DELETE FROM changes
WHERE type = 'product' AND thing_id > %(id)s;

-- name: forget_activities
DELETE FROM activities;

-- name: forget_sessions
DELETE FROM auth.sessions;

-- name: forget_carts
DELETE FROM carts;

-- name: version
SELECT split_part(version(), ' ', 2) AS version;

-- name: describe
-- What was said of the database when it was full: in the database of whoever may make it.
SELECT shobj_description(d.oid, 'pg_database') AS description
FROM pg_database AS d
WHERE d.datname = %(name)s;

-- name: own_backend
SELECT pg_backend_pid() AS pid;
