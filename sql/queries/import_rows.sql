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

-- name: missing_categories
-- Where in the batch's paths categories are missing: the highest level and the lowest, NULL when none is.
WITH RECURSIVE wanted AS (
    SELECT DISTINCT r.category
    FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
        AND r.category IS NOT NULL
),

found AS (
    SELECT w.category, 1 AS depth, c.id
    FROM wanted AS w
    JOIN categories AS c ON c.parent_id IS NULL AND lower(c.name) = lower(w.category[1])
    UNION ALL
    SELECT f.category, f.depth + 1, c.id
    FROM found AS f
    JOIN categories AS c ON c.parent_id = f.id AND lower(c.name) = lower(f.category[f.depth + 1])
),

known AS (
    SELECT w.category, coalesce(max(f.depth), 0) AS depth
    FROM wanted AS w
    LEFT JOIN found AS f ON f.category = w.category
    GROUP BY w.category
)

SELECT min(k.depth) + 1 AS first_level, max(cardinality(k.category)) AS last_level
FROM known AS k
WHERE k.depth < cardinality(k.category);

-- name: add_categories
-- The missing categories of one level, below those of the level above; categories.lock_tree before.
WITH RECURSIVE wanted AS (
    SELECT r.category, min(r.line) AS line
    FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
        AND r.category IS NOT NULL
    GROUP BY r.category
),

found AS (
    SELECT w.category, w.line, 0 AS depth, NULL::bigint AS id, '{}'::bigint[] AS path
    FROM wanted AS w
    UNION ALL
    SELECT f.category, f.line, f.depth + 1, c.id, c.path
    FROM found AS f
    JOIN categories AS c
        ON c.parent_id IS NOT DISTINCT FROM f.id AND lower(c.name) = lower(f.category[f.depth + 1])
    WHERE f.depth < %(level)s
),

missing AS (
    SELECT DISTINCT ON (f.id, lower(f.category[%(level)s])) f.id AS parent_id, f.path, f.category[%(level)s] AS name
    FROM found AS f
    WHERE f.depth = %(level)s - 1
        AND f.category[%(level)s] IS NOT NULL
        AND NOT EXISTS (SELECT FROM found AS g WHERE g.category = f.category AND g.depth = %(level)s)
    ORDER BY f.id, lower(f.category[%(level)s]), f.line
),

fresh AS (
    SELECT nextval('categories_id_seq') AS id, m.parent_id, m.path, m.name
    FROM missing AS m
)

INSERT INTO categories (id, parent_id, path, name)
OVERRIDING SYSTEM VALUE
SELECT f.id, f.parent_id, f.path || f.id, f.name
FROM fresh AS f;

-- name: lock_categories
-- Those the batch goes into: nobody renames, moves or removes them until it is in. In the order of ids.
WITH RECURSIVE wanted AS (
    SELECT DISTINCT r.category
    FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
        AND r.category IS NOT NULL
),

found AS (
    SELECT w.category, 1 AS depth, c.id
    FROM wanted AS w
    JOIN categories AS c ON c.parent_id IS NULL AND lower(c.name) = lower(w.category[1])
    UNION ALL
    SELECT f.category, f.depth + 1, c.id
    FROM found AS f
    JOIN categories AS c ON c.parent_id = f.id AND lower(c.name) = lower(f.category[f.depth + 1])
)

SELECT c.id
FROM categories AS c
WHERE c.id = ANY(ARRAY(SELECT f.id FROM found AS f WHERE f.depth = cardinality(f.category)))
ORDER BY c.id
FOR KEY SHARE;

-- name: refuse_unknown
-- Rows whose category is not there (any more), where imports may not add categories. The reader refuses such rows
-- with all their cells; these are what is left when an admin removes a category meanwhile.
WITH RECURSIVE wanted AS (
    SELECT DISTINCT r.category
    FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
        AND r.category IS NOT NULL
),

found AS (
    SELECT w.category, 1 AS depth, c.id
    FROM wanted AS w
    JOIN categories AS c ON c.parent_id IS NULL AND lower(c.name) = lower(w.category[1])
    UNION ALL
    SELECT f.category, f.depth + 1, c.id
    FROM found AS f
    JOIN categories AS c ON c.parent_id = f.id AND lower(c.name) = lower(f.category[f.depth + 1])
),

refused AS (
    DELETE FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
        AND r.category IS NOT NULL
        AND NOT EXISTS (
            SELECT FROM found AS f WHERE f.category = r.category AND f.depth = cardinality(f.category)
        )
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
-- The batch becomes products with stock and pictures; their ids. Each row takes its id first, by which its stock and
-- pictures find it. A row whose SKU or link the store has by now, or that an earlier row of the batch has taken,
-- is left out (and its id never used).
WITH RECURSIVE wanted AS (
    SELECT DISTINCT r.category
    FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
        AND r.category IS NOT NULL
),

found AS (
    SELECT w.category, 1 AS depth, c.id
    FROM wanted AS w
    JOIN categories AS c ON c.parent_id IS NULL AND lower(c.name) = lower(w.category[1])
    UNION ALL
    SELECT f.category, f.depth + 1, c.id
    FROM found AS f
    JOIN categories AS c ON c.parent_id = f.id AND lower(c.name) = lower(f.category[f.depth + 1])
),

batch AS MATERIALIZED (
    SELECT
        nextval('products_id_seq') AS id,
        r.name, r.description, r.price, r.stock, r.sku, r.source_url, r.image_urls, r.category_id, r.brand_id
    FROM (
        SELECT
            s.name, s.description, s.price, s.stock, s.sku, s.source_url, s.image_urls,
            f.id AS category_id, b.id AS brand_id
        FROM import_rows AS s
        LEFT JOIN found AS f ON f.category = s.category AND f.depth = cardinality(f.category)
        LEFT JOIN brands AS b ON lower(b.name) = lower(s.brand)
        WHERE s.import_id = %(import_id)s AND s.line > %(after_line)s AND s.line <= %(last_line)s
        ORDER BY s.line
    ) AS r
),

added AS (
    INSERT INTO products (
        id, store_id, category_id, brand_id, name, description, price, sku, source_url, in_stock
    )
    OVERRIDING SYSTEM VALUE
    SELECT
        b.id, %(store_id)s, b.category_id, b.brand_id, b.name, b.description, b.price, b.sku, b.source_url, b.stock > 0
    FROM batch AS b
    ORDER BY b.id
    ON CONFLICT DO NOTHING
    RETURNING id
),

stocked AS (
    INSERT INTO inventory (product_id, quantity)
    SELECT b.id, b.stock
    FROM added AS a
    JOIN batch AS b ON b.id = a.id
),

pictured AS (
    INSERT INTO product_images (product_id, position, is_main, url)
    SELECT b.id, u.position, u.position = 1, u.url
    FROM added AS a
    JOIN batch AS b ON b.id = a.id
    CROSS JOIN LATERAL unnest(b.image_urls) WITH ORDINALITY AS u (url, position)
    ORDER BY b.id, u.position
)

SELECT a.id
FROM added AS a;

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
