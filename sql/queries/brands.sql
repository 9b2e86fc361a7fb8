-- Brands: makers of products, each name once without regard to case.

-- name: search
-- budget: 2500 buffers
-- Those that guests see, by name. A part of the name is looked for in every row: 20,000 take 15 ms.
SELECT b.id, b.name, b.slug, b.version, b.created_at, b.updated_at
FROM brands AS b
WHERE b.listed
    AND (%(search)s::text IS NULL OR strpos(b.name_key, fold_name(%(search)s)) > 0)
    AND (
        %(after_id)s::bigint IS NULL
        OR (b.name_key, b.id) > (fold_name(%(after_name)s::text) COLLATE "C", %(after_id)s)
    )
ORDER BY b.name_key, b.id
LIMIT %(limit)s OFFSET %(offset)s;

-- name: count
-- budget: 40 buffers
SELECT count(*) AS matches
FROM (
    SELECT
    FROM brands AS b
    WHERE b.listed AND (%(search)s::text IS NULL OR strpos(b.name_key, fold_name(%(search)s)) > 0)
    LIMIT %(limit)s
) AS counted;

-- name: find
-- budget: 6 buffers
-- `unlisted`: also where guests do not see it.
SELECT b.id, b.name, b.slug, b.version, b.created_at, b.updated_at
FROM brands AS b
WHERE b.id = %(brand_id)s AND (b.listed OR %(unlisted)s);

-- name: find_named
SELECT b.id
FROM brands AS b
WHERE lower(b.name) = lower(%(name)s);

-- name: add
INSERT INTO brands (name)
VALUES (%(name)s)
RETURNING id, name, slug, version, created_at, updated_at;

-- name: add_missing
-- No row if a concurrent transaction added it first: it is committed now, and the next statement sees it.
INSERT INTO brands (name)
VALUES (%(name)s)
ON CONFLICT (lower(name)) DO NOTHING
RETURNING id;

-- name: lock
-- Locks out the foreign keys of products that are being written. A product written before the lock is committed
-- when the lock is granted, and the rebuild finds it; one written later reads the new name.
SELECT b.name, b.version
FROM brands AS b
WHERE b.id = %(brand_id)s
FOR UPDATE;

-- name: hold
-- Locks out changes of the brand itself, not products that are being written: those are locked before their
-- brand, and a removal of a brand locks them after it.
SELECT b.version
FROM brands AS b
WHERE b.id = %(brand_id)s
FOR NO KEY UPDATE;

-- name: change
-- What an admin has changed stays.
UPDATE brands
SET name = %(name)s, kept = true, listed = true, version = version + 1, updated_at = now()
WHERE id = %(brand_id)s
RETURNING id, name, slug, version, created_at, updated_at;

-- name: move_products
-- In the order of ids, as every writer of several products locks them.
WITH locked AS (
    SELECT p.id
    FROM products AS p
    WHERE p.brand_id = %(brand_id)s
    ORDER BY p.id
    FOR NO KEY UPDATE
)

UPDATE products AS p
SET brand_id = %(target_id)s, version = p.version + 1, updated_at = now()
FROM locked AS l
WHERE p.id = l.id;

-- name: remove
-- The foreign key refuses it while products have the brand.
DELETE FROM brands
WHERE id = %(brand_id)s
RETURNING name;

-- name: lock_removing
-- Brands are removed one after the other: two removals that move products to each other's brands would
-- deadlock.
SELECT pg_advisory_xact_lock(hashtext('marketplace.brands.remove'));

-- name: settle
-- For the worker: brands that no product has go, those on sale are listed. NULL for all of them.
SELECT settle_brands(%(brand_ids)s::bigint[]) AS settled;
