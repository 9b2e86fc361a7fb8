-- Stores.

-- name: find
-- budget: 5 buffers
SELECT s.id, s.name, s.description, s.version, s.created_at, s.updated_at
FROM stores AS s
WHERE s.id = %(store_id)s;

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
