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
-- FOR UPDATE waits for products that are being added (their foreign key holds the row): each of them has either been
-- committed before the rename, and the rebuild finds it, or reads the new name.
WITH held AS (
    SELECT h.id, h.name AS name_before
    FROM stores AS h
    WHERE h.id = %(store_id)s AND h.owner_id = %(owner_id)s
    FOR UPDATE
)

UPDATE stores AS s
SET name = %(name)s, description = %(description)s, version = s.version + 1, updated_at = now()
FROM held
WHERE s.id = held.id
RETURNING
    s.id, s.name, s.description, s.version, s.created_at, s.updated_at, s.name <> held.name_before AS renamed;
