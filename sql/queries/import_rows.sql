-- Good rows of an import on their way into the catalogue: the steps of the worker.
--
-- A batch is the staged rows above after_line up to last_line. They leave import_rows in the transaction that makes
-- products of them, so that a worker that is killed leaves a whole number of batches behind.

-- name: forget
-- Before a file is read from the beginning: what an earlier worker had read of it.
WITH rows AS (
    DELETE FROM import_rows WHERE import_id = %(import_id)s
),

errors AS (
    DELETE FROM import_errors WHERE import_id = %(import_id)s
)

UPDATE imports
SET rows_read = 0, rows_valid = 0, rows_bad = 0, bytes_read = 0
WHERE id = %(import_id)s;

-- name: copy_rows
-- The id of the future product comes by itself.
COPY import_rows (
    import_id, line, name, description, price, stock, sku, source_url, category, brand, image_urls
) FROM STDIN;

-- name: next_batch
-- Its last line, NULL when nothing is left, and whether it names categories and brands.
SELECT max(b.line) AS last_line, count(b.category) > 0 AS has_categories, count(b.brand) > 0 AS has_brands
FROM (
    SELECT r.line, r.category, r.brand
    FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s
    ORDER BY r.line
    LIMIT %(limit)s
) AS b;

-- name: skip_known
-- Rows whose product the store has already. Twins within the batch are left to add_products.
DELETE FROM import_rows AS r
WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
    AND (
        EXISTS (SELECT FROM products AS p WHERE p.store_id = %(store_id)s AND p.sku = r.sku)
        OR EXISTS (
            SELECT FROM products AS p WHERE p.store_id = %(store_id)s AND md5(p.source_url) = md5(r.source_url)
        )
    );

-- name: missing_levels
-- How deep the deepest path of the batch is that does not exist; NULL when all do. MATERIALIZED: each path is looked
-- for once, not once a row.
WITH wanted AS MATERIALIZED (
    SELECT DISTINCT r.category
    FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
        AND r.category IS NOT NULL
)

SELECT max(cardinality(w.category)) AS levels
FROM wanted AS w
WHERE find_category(w.category) IS NULL;

-- name: add_categories
-- The missing categories of one level, below those of the level above; categories.lock_tree before.
WITH wanted AS (
    SELECT r.category, min(r.line) AS line
    FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
        AND cardinality(r.category) >= %(level)s
    GROUP BY r.category
),

missing AS (
    SELECT find_category(w.category[1:(%(level)s - 1)]) AS parent_id, w.category[%(level)s] AS name, w.line
    FROM wanted AS w
    WHERE find_category(w.category[1:(%(level)s)]) IS NULL
),

fresh AS (
    SELECT nextval('categories_id_seq') AS id, n.parent_id, n.name
    FROM (
        SELECT DISTINCT ON (m.parent_id, lower(m.name)) m.parent_id, m.name
        FROM missing AS m
        ORDER BY m.parent_id, lower(m.name), m.line
    ) AS n
)

INSERT INTO categories (id, parent_id, path, name)
OVERRIDING SYSTEM VALUE
SELECT f.id, f.parent_id, coalesce(p.path, '{}') || f.id, f.name
FROM fresh AS f
LEFT JOIN categories AS p ON p.id = f.parent_id;

-- name: lock_categories
-- Those the batch goes into: nobody renames, moves or removes them until it is in. In the order of ids.
SELECT c.id
FROM categories AS c
WHERE c.id = ANY(ARRAY(
    SELECT find_category(w.category)
    FROM (
        SELECT DISTINCT r.category
        FROM import_rows AS r
        WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
            AND r.category IS NOT NULL
    ) AS w
))
ORDER BY c.id
FOR KEY SHARE;

-- name: refuse_unknown
-- Rows whose category is not there (any more), where imports may not add categories. The reader refuses such rows
-- with all their cells; these are what is left when an admin removes a category meanwhile.
WITH refused AS (
    DELETE FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
        AND r.category IS NOT NULL
        AND find_category(r.category) IS NULL
    RETURNING r.line, r.name
)

INSERT INTO import_errors (import_id, line, number, column_name, code, message)
SELECT
    %(import_id)s, u.line, 1, i.columns -> 'used' -> 'category' ->> 0, 'unknown_category',
    'is not one of the categories of this marketplace (' || u.name || ')'
FROM refused AS u
JOIN imports AS i ON i.id = %(import_id)s;

-- name: add_brands
INSERT INTO brands (name)
SELECT DISTINCT ON (lower(r.brand)) r.brand
FROM import_rows AS r
WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
    AND r.brand IS NOT NULL
    AND NOT EXISTS (SELECT FROM brands AS b WHERE lower(b.name) = lower(r.brand))
ORDER BY lower(r.brand), r.line
ON CONFLICT (lower(name)) DO NOTHING;

-- name: add_products
-- The batch becomes products; their ids. A row whose SKU or link the store has by now, or that an earlier row of the
-- batch has taken, is left out.
INSERT INTO products (id, store_id, category_id, brand_id, name, description, price, sku, source_url, in_stock)
OVERRIDING SYSTEM VALUE
SELECT
    r.product_id, %(store_id)s, find_category(r.category), b.id, r.name, r.description, r.price, r.sku,
    r.source_url, r.stock > 0
FROM import_rows AS r
LEFT JOIN brands AS b ON lower(b.name) = lower(r.brand)
WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
ORDER BY r.line
ON CONFLICT DO NOTHING
RETURNING id;

-- name: add_stock
INSERT INTO inventory (product_id, quantity)
SELECT r.product_id, r.stock
FROM import_rows AS r
WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
    AND r.product_id = ANY(%(product_ids)s);

-- name: add_images
INSERT INTO product_images (product_id, position, is_main, url)
SELECT r.product_id, u.position, u.position = 1, u.url
FROM import_rows AS r
CROSS JOIN LATERAL unnest(r.image_urls) WITH ORDINALITY AS u (url, position)
WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
    AND r.product_id = ANY(%(product_ids)s)
ORDER BY r.line, u.position;

-- name: end_batch
WITH gone AS (
    DELETE FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
    RETURNING r.line
)

UPDATE imports
SET rows_created = rows_created + %(created)s,
    rows_skipped = rows_skipped + %(skipped)s + (SELECT count(*) FROM gone) - %(created)s,
    rows_valid = rows_valid - %(refused)s,
    rows_bad = rows_bad + %(refused)s
WHERE id = %(import_id)s;
