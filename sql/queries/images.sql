-- Images of products. The product is locked before any of these (products.find_own), so that positions and the
-- main image are settled one request at a time.

-- name: count
SELECT count(*) AS images
FROM product_images AS i
WHERE i.product_id = %(product_id)s;

-- name: add
-- The first image of a product becomes its main one.
INSERT INTO product_images (product_id, position, is_main, url, alt, digest, width, height, placeholder, variants)
SELECT
    %(product_id)s,
    coalesce(max(i.position), 0) + 1,
    count(*) FILTER (WHERE i.is_main) = 0,
    %(url)s, %(alt)s, %(digest)s, %(width)s, %(height)s, %(placeholder)s, %(variants)s::json
FROM product_images AS i
WHERE i.product_id = %(product_id)s
RETURNING id, url AS image_url, is_main, alt, width, height, placeholder, variants;

-- name: find
SELECT i.id, i.position, i.is_main, i.alt
FROM product_images AS i
WHERE i.product_id = %(product_id)s AND i.id = %(image_id)s;

-- name: clear_main
UPDATE product_images SET is_main = false
WHERE product_id = %(product_id)s AND is_main AND id <> %(image_id)s;

-- name: change
UPDATE product_images
SET position = %(position)s, is_main = %(is_main)s, alt = %(alt)s
WHERE product_id = %(product_id)s AND id = %(image_id)s
RETURNING id, url AS image_url, is_main, alt, width, height, placeholder, variants;

-- name: remove
DELETE FROM product_images
WHERE product_id = %(product_id)s AND id = %(image_id)s
RETURNING is_main;

-- name: promote
-- The main image is gone: the first of the others takes its place.
UPDATE product_images SET is_main = true
WHERE product_id = %(product_id)s
    AND id = (
        SELECT i.id
        FROM product_images AS i
        WHERE i.product_id = %(product_id)s
        ORDER BY i.position, i.id
        LIMIT 1
    );

-- name: hold_files
-- Before the rows of images are written: until the transaction ends, nobody removes their files. In the order
-- of digests, as everybody locks several.
SELECT pg_advisory_xact_lock_shared(hashtextextended('picture ' || d.digest, 0))
FROM (
    SELECT DISTINCT u.digest
    FROM unnest(%(digests)s::text[]) AS u (digest)
    ORDER BY u.digest
) AS d;

-- name: lock_unused
-- For the worker: those of some images that no row uses, locked against requests that are about to use them.
-- None during a backup: the rows that it has read may be gone by now, and their files are still to be copied.
SELECT lock_unused_pictures(%(digests)s::text[]) AS digest
WHERE pg_try_advisory_xact_lock_shared(hashtextextended('backup', 0));
