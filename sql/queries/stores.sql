-- Stores.

-- name: find
SELECT s.id, s.name, s.description, s.version, s.created_at, s.updated_at
FROM stores AS s
WHERE s.id = %(store_id)s;

-- name: open
INSERT INTO stores (owner_id, name, description)
VALUES (%(owner_id)s, %(name)s, %(description)s)
RETURNING id, name, description, version, created_at, updated_at;

-- name: become_seller
SELECT auth.become_seller();

-- name: change
UPDATE stores
SET name = %(name)s, description = %(description)s, version = version + 1, updated_at = now()
WHERE id = %(store_id)s AND owner_id = %(owner_id)s
RETURNING id, name, description, version, created_at, updated_at;
