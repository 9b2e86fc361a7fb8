-- Stores.

-- name: find
-- budget: 5 buffers
SELECT s.id, s.name, s.description, s.version, s.created_at, s.updated_at
FROM stores AS s
WHERE s.id = %(store_id)s;

-- name: search
-- budget: 100 buffers
-- Those that are active, newest first; an admin sees the others, too, and may ask for a state. A part of the
-- name is found by an index of trigrams, if it has three letters.
SELECT s.id, s.name, s.description, s.city, s.state, s.version, s.created_at, s.updated_at
FROM stores AS s
WHERE CASE WHEN (SELECT my_role()) = 'admin' THEN %(state)s::text IS NULL OR s.state = %(state)s ELSE s.state = 'active' END
    AND (
        %(search)s::text IS NULL
        OR fold_name(s.name) LIKE '%%' || regexp_replace(fold_name(%(search)s), '([\\%%_])', '\\\1', 'g') || '%%'
    )
    AND (%(city)s::text IS NULL OR lower(s.city) = lower(%(city)s))
    AND (%(after_id)s::bigint IS NULL OR s.id < %(after_id)s)
ORDER BY s.id DESC
LIMIT %(limit)s OFFSET %(offset)s;

-- name: count
-- budget: 100 buffers
SELECT count(*) AS matches
FROM (
    SELECT
    FROM stores AS s
    WHERE CASE
            WHEN (SELECT my_role()) = 'admin' THEN %(state)s::text IS NULL OR s.state = %(state)s
            ELSE s.state = 'active'
        END
        AND (
            %(search)s::text IS NULL
            OR fold_name(s.name) LIKE '%%' || regexp_replace(fold_name(%(search)s), '([\\%%_])', '\\\1', 'g') || '%%'
        )
        AND (%(city)s::text IS NULL OR lower(s.city) = lower(%(city)s))
    LIMIT %(limit)s
) AS counted;

-- name: open
INSERT INTO stores (owner_id, name, description)
VALUES (%(owner_id)s, %(name)s, %(description)s)
RETURNING id, name, description, version, created_at, updated_at;

-- name: become_seller
SELECT auth.become_seller();

-- name: hold
-- The state that a change starts from. FOR UPDATE waits for products that are being added (their foreign key
-- holds the row). Each of them has either been committed before the rename, and the rebuild finds it, or reads
-- the new name.
SELECT s.id, s.name, s.description, s.version
FROM stores AS s
WHERE s.id = %(store_id)s
    AND /* own */ s.owner_id = %(owner_id)s
FOR UPDATE;

-- name: change
UPDATE stores
SET name = %(name)s, description = %(description)s, version = version + 1, updated_at = now()
WHERE id = %(store_id)s
    AND /* own */ owner_id = %(owner_id)s
RETURNING id, name, description, version, created_at, updated_at;

-- name: unsettled
-- For the worker: stores that are not active, and those let go whose products are still hidden for it.
SELECT s.id
FROM stores AS s
WHERE s.state <> 'active'
UNION
SELECT p.store_id
FROM products AS p
WHERE p.blocked = 'store'
ORDER BY id;

-- name: settle
-- Hides products of a store that is stopped, or shows again what its stopping has hidden, some at a time; which ones.
SELECT settle_store(%(store_id)s, %(most)s) AS product_ids;
