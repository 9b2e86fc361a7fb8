-- Categories: a tree, each row with its path from the top. Every change of the tree takes its lock first
-- (lock_tree), so that a path that was read is still true when it is written.

-- name: all
-- budget: 20 buffers
-- The tree, flat, up to a limit: levels from the top down, so that whoever is in it has a parent there; of a level
-- those with most products. What an import has made and nothing on sale is in is left out (`listed`). Sorted last,
-- so that children come out in order wherever they are put together.
SELECT t.id, t.name, t.slug, t.parent_id, t.product_count
FROM (
    SELECT c.id, c.name, c.slug, c.parent_id, coalesce(k.products, 0) AS product_count
    FROM categories AS c
    LEFT JOIN category_counts AS k ON k.category_id = c.id
    WHERE c.listed
    ORDER BY cardinality(c.path), k.products DESC NULLS LAST, c.id
    LIMIT %(limit)s
) AS t
ORDER BY fold_name(t.name), t.id;

-- name: find
-- budget: 30 buffers
-- One category with those above it, from the top down, and those right below it that guests see, up to a limit.
-- `unlisted`: also where guests do not see it.
SELECT
    c.id, c.name, c.slug, c.parent_id,
    array_to_json(ARRAY(
        SELECT to_json(n)
        FROM (
            SELECT a.id, a.name
            FROM categories AS a
            WHERE a.id = ANY(c.path) AND a.id <> c.id
            ORDER BY cardinality(a.path)
        ) AS n
    )) AS path,
    coalesce(k.products, 0) AS product_count,
    array_to_json(ARRAY(
        SELECT to_json(n)
        FROM (
            SELECT d.id, d.name, d.slug, coalesce(dk.products, 0) AS product_count
            FROM categories AS d
            LEFT JOIN category_counts AS dk ON dk.category_id = d.id
            WHERE d.parent_id = c.id AND d.listed
            ORDER BY fold_name(d.name), d.id
            LIMIT %(limit)s
        ) AS n
    )) AS children,
    c.version, c.created_at, c.updated_at
FROM categories AS c
LEFT JOIN category_counts AS k ON k.category_id = c.id
WHERE c.id = %(category_id)s AND (c.listed OR %(unlisted)s);

-- name: lock_tree
-- Held to the end of the transaction. All changes of the tree take this number; it means nothing else.
SELECT pg_advisory_xact_lock(7236218842713001);

-- name: add
-- The foreign key refuses a parent that does not exist.
WITH fresh AS (
    SELECT nextval('categories_id_seq') AS id
)

INSERT INTO categories (id, parent_id, path, name)
OVERRIDING SYSTEM VALUE
SELECT f.id, %(parent_id)s, coalesce(p.path, '{}') || f.id, %(name)s
FROM fresh AS f
LEFT JOIN categories AS p ON p.id = %(parent_id)s
RETURNING id;

-- name: keep
-- An admin puts something below it: it stays, with those above it, whoever made them.
UPDATE categories AS c
SET kept = true, listed = true
FROM categories AS n
WHERE n.id = %(category_id)s AND c.id = ANY(n.path) AND NOT (c.kept AND c.listed);

-- name: below
-- A category and all its descendants.
SELECT c.id
FROM categories AS c
WHERE %(category_id)s::bigint = ANY(c.path)
ORDER BY c.id;

-- name: lock_below
-- The same, and locks out the foreign keys of products that are being written. A product written before the
-- lock is committed when the lock is granted, and the rebuild finds it; one written later reads the new name
-- and path.
SELECT c.id
FROM categories AS c
WHERE %(category_id)s::bigint = ANY(c.path)
ORDER BY c.id
FOR UPDATE;

-- name: change
-- Changes name and parent of a category, and the paths of all its descendants, which keep their part from the
-- category on.
UPDATE categories AS c
SET parent_id = CASE WHEN c.id = %(category_id)s THEN %(parent_id)s ELSE c.parent_id END,
    name = CASE WHEN c.id = %(category_id)s THEN %(name)s ELSE c.name END,
    path = moved.path,
    kept = c.kept OR c.id = %(category_id)s,
    listed = c.listed OR c.id = %(category_id)s,
    version = c.version + 1,
    updated_at = now()
FROM (
    SELECT d.id, coalesce(p.path, '{}') || d.path[array_position(d.path, %(category_id)s):] AS path
    FROM categories AS d
    LEFT JOIN categories AS p ON p.id = %(parent_id)s
    WHERE %(category_id)s::bigint = ANY(d.path)
) AS moved
WHERE c.id = moved.id
    AND (c.id = %(category_id)s OR c.path <> moved.path);

-- name: move_products
-- In the order of ids, as every writer of several products locks them.
WITH locked AS (
    SELECT p.id
    FROM products AS p
    WHERE p.category_id = %(category_id)s
    ORDER BY p.id
    FOR NO KEY UPDATE
)

UPDATE products AS p
SET category_id = %(target_id)s, version = p.version + 1, updated_at = now()
FROM locked AS l
WHERE p.id = l.id;

-- name: move_children
-- Moves the children of a category below another one, with all their descendants.
UPDATE categories AS c
SET parent_id = CASE WHEN c.parent_id = %(category_id)s THEN t.id ELSE c.parent_id END,
    path = t.path || c.path[array_position(c.path, %(category_id)s) + 1:],
    version = c.version + 1,
    updated_at = now()
FROM categories AS t
WHERE t.id = %(target_id)s
    AND %(category_id)s::bigint = ANY(c.path)
    AND c.id <> %(category_id)s;

-- name: remove
-- The foreign keys refuse it while products or categories are in it.
DELETE FROM categories
WHERE id = %(category_id)s
RETURNING name;

-- name: refresh_counts
-- For the worker and the owner.
SELECT refresh_category_counts();

-- name: clear
-- For the worker: those that imports have made and nothing is in any more.
SELECT clear_categories() AS cleared;
