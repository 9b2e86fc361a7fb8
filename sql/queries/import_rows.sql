-- Good rows of an import on their way into the catalogue: the steps of the worker.
--
-- A batch is the staged rows above after_line up to last_line. They leave import_rows in the transaction that
-- makes products of them, so that a killed worker leaves a whole number of batches behind. `fields` are the
-- columns that the file has; the other fields of an existing product stay.

-- name: forget
-- Before a file is read from the start: removes what an earlier worker had read of it.
WITH rows AS (
    DELETE FROM import_rows WHERE import_id = %(import_id)s
),

errors AS (
    DELETE FROM import_errors WHERE import_id = %(import_id)s
),

changes AS (
    DELETE FROM import_changes WHERE import_id = %(import_id)s
)

UPDATE imports
SET rows_apart = 0, rows_read = 0, rows_valid = 0, rows_shared = 0, rows_skipped = 0, rows_bad = 0, bytes_read = 0, report_bytes = 0
WHERE id = %(import_id)s;

-- name: clear
DELETE FROM import_rows
WHERE import_id = %(import_id)s;

-- name: copy_rows
-- The id of the future product is a default.
COPY import_rows (
    import_id, line, known_id, name, description, price, stock, sku, source_url, category, brand, image_urls, hidden,
    in_stock
) FROM STDIN;

-- name: copy_variants
-- The same of rows that are variants, or have a weight, a struck price or the stock that the file has seen.
COPY import_rows (
    import_id, line, known_id, name, description, price, stock, sku, source_url, category, brand, image_urls, hidden,
    in_stock, group_key, option_names, option_values, product_name, product_description, gallery, variant_id,
    variant_image, variant_hidden, barcode, weight_grams, price_before, stock_seen
) FROM STDIN;

-- name: settle_twins
-- Duplicates: rows whose id, SKU or link an earlier row of the file has. An identical row is left out. A
-- different one is bad, since nobody knows which of the two is meant. Keys are compared by their hashes first,
-- which fit into memory. The rows of one product with variants share its id and link.
WITH keys AS MATERIALIZED (
    SELECT r.line, k.kind, hashtextextended(k.value, 0) AS hash
    FROM import_rows AS r
    CROSS JOIN LATERAL (
        VALUES
        ('marketplace_product_id', CASE WHEN coalesce(r.group_key, r.variant_id::text) IS NULL THEN r.known_id::text END),
        ('variant_id', r.variant_id::text),
        ('sku', r.sku),
        ('source_url', CASE WHEN r.group_key IS NULL THEN r.source_url END)
    ) AS k (kind, value)
    WHERE r.import_id = %(import_id)s AND k.value IS NOT NULL
),

doubled AS (
    SELECT k.kind, k.hash
    FROM keys AS k
    GROUP BY k.kind, k.hash
    HAVING count(*) > 1
),

firsts AS (
    SELECT k.line, k.kind, first_value(k.line) OVER (PARTITION BY k.kind, k.hash ORDER BY k.line) AS first_line
    FROM keys AS k
    JOIN doubled AS d ON d.kind = k.kind AND d.hash = k.hash
),

twins AS MATERIALIZED (
    SELECT DISTINCT ON (f.line)
        f.line, f.first_line, f.kind,
        CASE
            WHEN (r.known_id IS DISTINCT FROM o.known_id) OR (r.sku IS DISTINCT FROM o.sku) THEN false
            WHEN (r.source_url IS DISTINCT FROM o.source_url) OR (r.stock IS DISTINCT FROM o.stock) THEN false
            WHEN (r.description IS DISTINCT FROM o.description) OR (r.category IS DISTINCT FROM o.category) THEN false
            WHEN (r.brand IS DISTINCT FROM o.brand) OR (r.hidden IS DISTINCT FROM o.hidden) THEN false
            WHEN (r.name IS DISTINCT FROM o.name) OR (r.price IS DISTINCT FROM o.price) THEN false
            WHEN (r.weight_grams IS DISTINCT FROM o.weight_grams) OR (r.price_before IS DISTINCT FROM o.price_before)
                THEN false
            WHEN (r.variant_id IS DISTINCT FROM o.variant_id) OR (r.option_values IS DISTINCT FROM o.option_values)
                THEN false
            ELSE (r.in_stock IS NOT DISTINCT FROM o.in_stock) AND r.image_urls = o.image_urls
        END AS same
    FROM firsts AS f
    JOIN import_rows AS r ON r.import_id = %(import_id)s AND r.line = f.line
    JOIN import_rows AS o ON o.import_id = %(import_id)s AND o.line = f.first_line
    WHERE f.line <> f.first_line
        AND CASE f.kind
            WHEN 'sku' THEN r.sku = o.sku
            WHEN 'source_url' THEN r.source_url = o.source_url
            WHEN 'variant_id' THEN r.variant_id = o.variant_id
            ELSE r.known_id = o.known_id
        END
    ORDER BY f.line, f.kind
),

gone AS (
    DELETE FROM import_rows AS r
    USING twins AS t
    WHERE r.import_id = %(import_id)s AND r.line = t.line
),

told AS (
    INSERT INTO import_errors (import_id, line, number, column_name, code, message, said)
    SELECT
        %(import_id)s, t.line, 1, i.columns -> 'used' -> t.kind ->> 0, 'duplicate_' || t.kind,
        replace(%(words)s::text, '{line}', t.first_line::text),
        json_build_object('template', %(words)s::text, 'values', json_build_object('line', t.first_line))
    FROM twins AS t
    JOIN imports AS i ON i.id = %(import_id)s
    WHERE NOT t.same
)

UPDATE imports AS i
SET rows_valid = i.rows_valid - c.bad,
    rows_bad = i.rows_bad + c.bad,
    rows_skipped = i.rows_skipped + c.same
FROM (SELECT count(*) FILTER (WHERE NOT t.same) AS bad, count(*) FILTER (WHERE t.same) AS same FROM twins AS t) AS c
WHERE i.id = %(import_id)s AND (c.bad > 0 OR c.same > 0);

-- name: fit_categories
-- Of the categories that are missing so many are made, those of the first rows first, a parent before what is below
-- it; rows that name another one keep the nearest category above it, and what they wished for. Twice is as good as
-- once. Rows are found again by their lines: nothing is known yet of rows that were copied just now, and by their
-- paths each would be compared with each path.
WITH wanted AS MATERIALIZED (
    SELECT r.category, min(r.line) AS line, array_agg(r.line) AS lines
    FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.category IS NOT NULL
    GROUP BY r.category
),

missing AS MATERIALIZED (
    SELECT w.category, w.line, w.lines
    FROM wanted AS w
    WHERE find_category(w.category) IS NULL
),

absent AS MATERIALIZED (
    SELECT a.folded, min(a.line) AS line, min(a.depth) AS depth
    FROM (
        SELECT lower(m.category[1:s.depth]::text) AS folded, m.line, s.depth
        FROM missing AS m
        CROSS JOIN LATERAL generate_subscripts(m.category, 1) AS s (depth)
        WHERE find_category(m.category[1:s.depth]) IS NULL
    ) AS a
    GROUP BY a.folded
),

admitted AS MATERIALIZED (
    SELECT a.folded
    FROM absent AS a
    ORDER BY a.line, a.depth
    LIMIT %(room)s
),

fitted AS MATERIALIZED (
    SELECT m.lines, nullif(m.category[1:k.depth], '{}') AS nearest
    FROM missing AS m
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS depth
        FROM generate_subscripts(m.category, 1) AS s (depth)
        LEFT JOIN absent AS a ON a.folded = lower(m.category[1:s.depth]::text)
        LEFT JOIN admitted AS d ON d.folded = a.folded
        WHERE a.folded IS NULL OR d.folded IS NOT NULL
    ) AS k
    WHERE k.depth < cardinality(m.category)
),

moved AS (
    UPDATE import_rows AS r
    SET category = f.nearest, wished_category = r.category
    FROM fitted AS f
    CROSS JOIN LATERAL unnest(f.lines) AS l (line)
    WHERE r.import_id = %(import_id)s AND r.line = l.line
    RETURNING r.line
)

SELECT count(*) AS moved
FROM moved;

-- name: wishes
-- Categories that rows wished for in vain: how many, the paths of the first, and the rows.
WITH wished AS (
    SELECT w.path, w.rows, row_number() OVER (ORDER BY w.path) AS place
    FROM (
        SELECT r.wished_category AS path, count(*) AS rows
        FROM import_rows AS r
        WHERE r.import_id = %(import_id)s AND r.wished_category IS NOT NULL
        GROUP BY r.wished_category
    ) AS w
)

SELECT
    count(*) AS count,
    coalesce(sum(w.rows), 0)::bigint AS rows,
    coalesce(json_agg(array_to_string(w.path, ' > ') ORDER BY w.path) FILTER (WHERE w.place <= %(limit)s), '[]') AS first
FROM wished AS w;

-- name: next_batch
-- The last line of the batch, NULL when nothing is left; its number of rows, whether it names categories and
-- brands, and which of its lines are settled except for their stock.
SELECT
    max(b.line) AS last_line,
    count(*) AS rows_ahead,
    count(b.category) > 0 AS has_categories,
    count(b.brand) > 0 AS has_brands,
    coalesce(array_agg(b.line) FILTER (WHERE b.settled), '{}') AS settled
FROM (
    SELECT r.line, r.category, r.brand, r.settled
    FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.group_key IS NULL
    ORDER BY r.line
    LIMIT %(limit)s
) AS b;

-- name: match
-- Which rows match a product of the store, by its id, else its SKU, else its link; and which of its fields
-- differ. Two keys that match two products are a conflict. Categories and brands are looked up once each.
-- What a file of another system says of weight and struck price is compared where the product has one: products of
-- an earlier import stay as they are.
WITH batch AS MATERIALIZED (
    SELECT
        r.line, r.name, r.description, r.price, r.stock, r.sku, r.source_url, r.category, r.brand, r.image_urls, r.hidden,
        r.weight_grams, r.price_before, r.stock_seen,
        r.category IS NOT NULL OR r.wished_category IS NULL AS placed,
        (
            SELECT p.id
            FROM products AS p
            WHERE p.id = r.known_id
                AND /* own */ p.store_id = %(store_id)s
        ) AS by_id,
        (SELECT p.id FROM products AS p WHERE p.store_id = %(store_id)s AND p.sku = r.sku) AS by_sku,
        (
            SELECT p.id FROM products AS p WHERE p.store_id = %(store_id)s AND md5(p.source_url) = md5(r.source_url)
        ) AS by_link
    FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s AND r.group_key IS NULL
),

met AS MATERIALIZED (
    SELECT
        b.line, b.name, b.description, b.price, b.stock, b.sku, b.source_url, b.category, b.brand, b.image_urls, b.hidden,
        b.weight_grams, b.price_before, b.stock_seen, b.placed,
        coalesce(b.by_id, b.by_sku, b.by_link) AS product_id,
        b.by_sku <> coalesce(b.by_id, b.by_sku) OR b.by_link <> coalesce(b.by_id, b.by_sku, b.by_link) AS conflict
    FROM batch AS b
    WHERE coalesce(b.by_id, b.by_sku, b.by_link) IS NOT NULL
),

paths AS MATERIALIZED (
    SELECT w.category, find_category(w.category) AS id
    FROM (SELECT DISTINCT m.category FROM met AS m WHERE m.category IS NOT NULL) AS w
),

makers AS MATERIALIZED (
    SELECT w.brand, b.id
    FROM (SELECT DISTINCT m.brand FROM met AS m WHERE m.brand IS NOT NULL) AS w
    JOIN brands AS b ON lower(b.name) = lower(w.brand)
),

compared AS (
    SELECT
        m.line, m.product_id, p.variant_count > 0 AS varied,
        coalesce(m.conflict, false) AS conflict,
        CASE
            WHEN m.price_before <= coalesce(m.price, p.price) THEN 'price_before_too_low'
            WHEN m.stock <> m.stock_seen AND s.quantity <> m.stock AND s.quantity <> m.stock_seen THEN 'precondition_failed'
        END AS code,
        s.quantity,
        CASE
            WHEN m.name <> p.name OR m.price <> p.price OR (m.hidden <> p.hidden AND p.blocked IS NULL) THEN true
            WHEN m.sku IS NOT NULL AND (m.sku IS DISTINCT FROM p.sku) THEN true
            WHEN m.source_url IS NOT NULL AND (m.source_url IS DISTINCT FROM p.source_url) THEN true
            WHEN 'description' = ANY(%(fields)s) AND (m.description IS DISTINCT FROM p.description) THEN true
            WHEN 'category' = ANY(%(fields)s) AND m.placed AND (c.id IS DISTINCT FROM p.category_id) THEN true
            WHEN 'brand' = ANY(%(fields)s) AND (k.id IS DISTINCT FROM p.brand_id) THEN true
            WHEN (m.category IS NOT NULL AND c.id IS NULL) OR (m.brand IS NOT NULL AND k.id IS NULL) THEN true
            WHEN m.weight_grams <> p.weight_grams OR m.price_before <> p.price_before THEN true
            WHEN 'weight_grams' = ANY(%(fields)s) AND (m.weight_grams IS DISTINCT FROM p.weight_grams) THEN true
            WHEN 'price_before' = ANY(%(fields)s) AND (m.price_before IS DISTINCT FROM p.price_before) THEN true
            ELSE false
        END AS changed,
        m.image_urls <> '{}'
        AND m.image_urls <> ARRAY(
            SELECT i.url
            FROM product_images AS i
            WHERE i.product_id = m.product_id
            ORDER BY i.is_main DESC, i.position, i.id
        ) AS pictures_changed,
        m.stock <> s.quantity AND (m.stock IS DISTINCT FROM m.stock_seen) AS stock_changed,
        m.stock > s.quantity AND m.stock_seen IS NULL AS raised,
        p.hidden AND m.hidden IS NULL AS stays_hidden
    FROM met AS m
    JOIN products AS p ON p.id = m.product_id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(i.quantity) FILTER (WHERE i.on_sale), 0) AS quantity
        FROM inventory AS i
        WHERE i.product_id = m.product_id
    ) AS s
    LEFT JOIN paths AS c ON c.category = m.category
    LEFT JOIN makers AS k ON k.brand = m.brand
)

SELECT
    coalesce(array_agg(c.line), '{}') AS met,
    coalesce(array_agg(c.product_id), '{}') AS met_ids,
    coalesce(array_agg(c.line) FILTER (WHERE c.varied), '{}') AS varied,
    coalesce(array_agg(c.line) FILTER (WHERE c.conflict), '{}') AS conflicts,
    coalesce(array_agg(c.line) FILTER (WHERE c.code IS NOT NULL AND NOT c.conflict), '{}') AS wrong,
    coalesce(array_agg(c.code) FILTER (WHERE c.code IS NOT NULL AND NOT c.conflict), '{}') AS wrong_codes,
    coalesce(array_agg(c.quantity) FILTER (WHERE c.code IS NOT NULL AND NOT c.conflict), '{}') AS wrong_stock,
    coalesce(array_agg(c.line) FILTER (WHERE c.changed AND NOT c.conflict), '{}') AS changed,
    coalesce(array_agg(c.product_id) FILTER (WHERE c.changed AND NOT c.conflict), '{}') AS changed_ids,
    coalesce(array_agg(c.line) FILTER (WHERE c.pictures_changed AND NOT c.conflict), '{}') AS pictures,
    coalesce(array_agg(c.product_id) FILTER (WHERE c.pictures_changed AND NOT c.conflict), '{}') AS pictures_ids,
    coalesce(array_agg(c.line) FILTER (WHERE c.stock_changed AND NOT c.conflict), '{}') AS stocked,
    coalesce(array_agg(c.product_id) FILTER (WHERE c.stock_changed AND NOT c.conflict), '{}') AS stocked_ids,
    coalesce(array_agg(c.line) FILTER (WHERE c.stays_hidden AND NOT c.conflict), '{}') AS hidden,
    count(*) FILTER (WHERE c.raised AND NOT c.conflict) AS raised,
    ARRAY(
        SELECT b.line
        FROM batch AS b
        WHERE coalesce(b.by_id, b.by_sku, b.by_link) IS NULL AND (b.name IS NULL OR b.price IS NULL)
    ) AS incomplete
FROM compared AS c;

-- name: refuse
-- Rows that turn out bad as they are applied, an error each. The report gets their cells later. What was applied of a
-- row but for its stock is taken out of the count.
WITH wrong AS (
    SELECT w.line, w.field, w.code, w.message, w.said
    FROM unnest(
        %(lines)s::bigint[], %(fields)s::text[], %(codes)s::text[], %(messages)s::text[], %(said)s::text[]
    ) AS w (line, field, code, message, said)
),

refused AS (
    DELETE FROM import_rows AS r
    USING wrong AS w
    WHERE r.import_id = %(import_id)s AND r.line = w.line
    RETURNING r.line, r.settled, w.field, w.code, w.message, w.said
),

told AS (
    INSERT INTO import_errors (import_id, line, number, column_name, code, message, said)
    SELECT %(import_id)s, u.line, 1, i.columns -> 'used' -> u.field ->> 0, u.code, u.message, u.said::json
    FROM refused AS u
    JOIN imports AS i ON i.id = %(import_id)s
)

UPDATE imports
SET rows_valid = rows_valid - (SELECT count(*) FROM refused),
    rows_bad = rows_bad + (SELECT count(*) FROM refused),
    rows_updated = rows_updated - (SELECT count(*) FROM refused AS u WHERE u.settled)
WHERE id = %(import_id)s;

-- name: refuse_conflicts
-- Rows whose keys match two products. The report gets their cells later.
WITH refused AS (
    DELETE FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.line = ANY(%(lines)s::bigint[])
    RETURNING r.line
),

told AS (
    INSERT INTO import_errors (import_id, line, number, code, message)
    SELECT %(import_id)s, u.line, 1, 'conflicting_keys', %(words)s::text
    FROM refused AS u
)

UPDATE imports
SET rows_valid = rows_valid - (SELECT count(*) FROM refused),
    rows_bad = rows_bad + (SELECT count(*) FROM refused)
WHERE id = %(import_id)s;

-- name: refuse_incomplete
-- Rows that would make a product, and lack its name or its price; an error for each.
WITH refused AS (
    DELETE FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.line = ANY(%(lines)s::bigint[])
    RETURNING r.line, r.name, r.price
),

told AS (
    INSERT INTO import_errors (import_id, line, number, column_name, code, message)
    SELECT
        %(import_id)s, u.line, row_number() OVER (PARTITION BY u.line ORDER BY l.place),
        coalesce(i.columns -> 'used' -> l.field ->> 0, l.field), 'required', %(words)s::text
    FROM refused AS u
    JOIN imports AS i ON i.id = %(import_id)s
    CROSS JOIN LATERAL (
        VALUES (1, 'name', u.name IS NULL), (2, 'price', u.price IS NULL)
    ) AS l (place, field, missing)
    WHERE l.missing
)

UPDATE imports
SET rows_valid = rows_valid - (SELECT count(*) FROM refused),
    rows_bad = rows_bad + (SELECT count(*) FROM refused)
WHERE id = %(import_id)s;

-- name: missing_levels
-- The depth of the deepest path of the batch that does not exist; NULL when all do. MATERIALIZED: each path is
-- looked up once, not once a row.
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
-- Adds the missing categories of one level, below those of the level above; after categories.lock_tree.
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

INSERT INTO categories (id, parent_id, path, name, import_id)
OVERRIDING SYSTEM VALUE
SELECT f.id, f.parent_id, coalesce(p.path, '{}') || f.id, f.name, %(import_id)s
FROM fresh AS f
LEFT JOIN categories AS p ON p.id = f.parent_id;

-- name: lock_categories
-- Locks the categories of the batch: nobody renames, moves or removes them until it is applied. In the order of
-- ids.
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
-- Rows whose category does not exist (any more), if imports may not add categories. The reader refuses such
-- rows with all their cells; these remain when an admin removes a category meanwhile.
WITH refused AS (
    DELETE FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
        AND r.category IS NOT NULL
        AND find_category(r.category) IS NULL
    RETURNING r.line
),

told AS (
    INSERT INTO import_errors (import_id, line, number, column_name, code, message)
    SELECT
        %(import_id)s, u.line, 1, i.columns -> 'used' -> 'category' ->> 0, 'unknown_category', %(words)s::text
    FROM refused AS u
    JOIN imports AS i ON i.id = %(import_id)s
)

UPDATE imports
SET rows_valid = rows_valid - (SELECT count(*) FROM refused),
    rows_bad = rows_bad + (SELECT count(*) FROM refused)
WHERE id = %(import_id)s;

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
-- Rows without a matching product become new ones. Returns their ids, and the lines they come from. `met` has
-- the lines of the others.
WITH batch AS MATERIALIZED (
    SELECT
        r.line, r.product_id, r.name, r.description, r.price, r.sku, r.source_url, r.category, r.brand, r.hidden,
        r.weight_grams, r.price_before,
        coalesce(r.stock, CASE WHEN r.in_stock THEN greatest(%(default_stock)s, 1) ELSE %(default_stock)s END) AS stock
    FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
        AND r.group_key IS NULL
        AND r.line <> ALL(%(met)s::bigint[])
),

paths AS MATERIALIZED (
    SELECT w.category, find_category(w.category) AS id
    FROM (SELECT DISTINCT b.category FROM batch AS b WHERE b.category IS NOT NULL) AS w
),

makers AS MATERIALIZED (
    SELECT w.brand, k.id
    FROM (SELECT DISTINCT b.brand FROM batch AS b WHERE b.brand IS NOT NULL) AS w
    JOIN brands AS k ON lower(k.name) = lower(w.brand)
)

INSERT INTO products (
    id, store_id, category_id, brand_id, name, description, price, sku, source_url, hidden, in_stock, weight_grams,
    price_before
)
OVERRIDING SYSTEM VALUE
SELECT
    b.product_id, %(store_id)s, c.id, k.id, b.name, b.description, b.price, b.sku, b.source_url,
    coalesce(b.hidden, false), b.stock > 0, b.weight_grams, b.price_before
FROM batch AS b
LEFT JOIN paths AS c ON c.category = b.category
LEFT JOIN makers AS k ON k.brand = b.brand
ORDER BY b.line
RETURNING id;

-- name: add_stock
-- What is there in a number nobody knows is one at least.
INSERT INTO inventory (product_id, quantity)
SELECT
    r.product_id,
    coalesce(r.stock, CASE WHEN r.in_stock THEN greatest(%(default_stock)s, 1) ELSE %(default_stock)s END)
FROM import_rows AS r
WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
    AND r.group_key IS NULL
    AND r.line <> ALL(%(met)s::bigint[]);

-- name: add_images
-- Links, and uploads of this marketplace with their known sizes. Uploads that nobody uses any more are left
-- out.
INSERT INTO product_images (product_id, position, is_main, url, digest, width, height, placeholder, variants)
SELECT
    r.product_id, u.position, u.position = min(u.position) OVER (PARTITION BY r.line), u.url,
    k.digest, k.width, k.height, k.placeholder, coalesce(k.variants, '[]')
FROM import_rows AS r
CROSS JOIN LATERAL unnest(r.image_urls) WITH ORDINALITY AS u (url, position)
LEFT JOIN LATERAL (
    SELECT i.digest, i.width, i.height, i.placeholder, i.variants
    FROM product_images AS i
    WHERE u.url LIKE chr(127) || '%%' AND i.digest = substring(u.url FROM '[0-9a-f]{64}') AND i.url = u.url
    LIMIT 1
) AS k ON true
WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
    AND r.group_key IS NULL
    AND r.line <> ALL(%(met)s::bigint[])
    AND (u.url NOT LIKE chr(127) || '%%' OR k.digest IS NOT NULL)
ORDER BY r.line, u.position;

-- name: change_products
-- Writes the file's values to existing products, which are locked. An empty SKU or link removes none.
WITH rows AS MATERIALIZED (
    SELECT
        m.product_id, r.name, r.description, r.price, r.sku, r.source_url, r.category, r.brand, r.hidden,
        r.weight_grams, r.price_before, r.category IS NOT NULL OR r.wished_category IS NULL AS placed
    FROM unnest(%(lines)s::bigint[], %(product_ids)s::bigint[]) AS m (line, product_id)
    JOIN import_rows AS r ON r.import_id = %(import_id)s AND r.line = m.line
),

paths AS MATERIALIZED (
    SELECT w.category, find_category(w.category) AS id
    FROM (SELECT DISTINCT r.category FROM rows AS r WHERE r.category IS NOT NULL) AS w
),

makers AS MATERIALIZED (
    SELECT w.brand, k.id
    FROM (SELECT DISTINCT r.brand FROM rows AS r WHERE r.brand IS NOT NULL) AS w
    JOIN brands AS k ON lower(k.name) = lower(w.brand)
)

UPDATE products AS p
SET name = coalesce(r.name, p.name),
    price = coalesce(r.price, p.price),
    description = CASE WHEN 'description' = ANY(%(fields)s) THEN r.description ELSE p.description END,
    category_id = CASE WHEN 'category' = ANY(%(fields)s) AND r.placed THEN c.id ELSE p.category_id END,
    brand_id = CASE WHEN 'brand' = ANY(%(fields)s) THEN k.id ELSE p.brand_id END,
    sku = coalesce(r.sku, p.sku),
    source_url = coalesce(r.source_url, p.source_url),
    hidden = CASE WHEN p.blocked IS NULL THEN coalesce(r.hidden, p.hidden) ELSE p.hidden END,
    weight_grams = /* include: weight */,
    price_before = /* include: struck */,
    version = p.version + 1,
    updated_at = now()
FROM rows AS r
LEFT JOIN paths AS c ON c.category = r.category
LEFT JOIN makers AS k ON k.brand = r.brand
WHERE p.id = r.product_id
    AND /* own */ p.store_id = %(store_id)s;

-- fragment: weight
CASE
    WHEN 'weight_grams' = ANY(%(fields)s) THEN r.weight_grams
    WHEN p.weight_grams IS NOT NULL AND r.weight_grams IS NOT NULL THEN r.weight_grams
    ELSE p.weight_grams
END

-- fragment: struck
-- A struck price that is no longer above the price goes.
CASE
    WHEN 'price_before' = ANY(%(fields)s) THEN r.price_before
    WHEN p.price_before IS NOT NULL AND r.price_before IS NOT NULL THEN r.price_before
    WHEN p.price_before > coalesce(r.price, p.price) THEN p.price_before
END

-- name: describe
-- Before and after of the fields that differ, of rows that change a product; images are not among them.
SELECT r.line, d.before, d.after
FROM unnest(%(lines)s::bigint[], %(product_ids)s::bigint[]) AS m (line, product_id)
JOIN import_rows AS r ON r.import_id = %(import_id)s AND r.line = m.line
JOIN products AS p ON p.id = m.product_id
JOIN inventory AS i ON i.product_id = m.product_id AND i.variant_id = 0
CROSS JOIN LATERAL (
    SELECT json_object_agg(f.name, f.before) AS before, json_object_agg(f.name, f.after) AS after
    FROM (
        VALUES
        ('name', to_jsonb(p.name), to_jsonb(coalesce(r.name, p.name))),
        ('price', to_jsonb(p.price::text), to_jsonb(coalesce(r.price, p.price)::text)),
        ('price_before', to_jsonb(p.price_before::text), to_jsonb((/* include: struck */)::text)),
        (
            'description', to_jsonb(left(p.description, 500)),
            to_jsonb(left(CASE WHEN 'description' = ANY(%(fields)s) THEN r.description ELSE p.description END, 500))
        ),
        ('sku', to_jsonb(p.sku), to_jsonb(coalesce(r.sku, p.sku))),
        ('source_url', to_jsonb(p.source_url), to_jsonb(coalesce(r.source_url, p.source_url))),
        (
            'category', to_jsonb(category_path(p.category_id)),
            to_jsonb(CASE
                WHEN 'category' <> ALL(%(fields)s) OR (r.category IS NULL AND r.wished_category IS NOT NULL)
                    OR find_category(r.category) = p.category_id THEN category_path(p.category_id)
                ELSE array_to_string(r.category, ' > ')
            END)
        ),
        (
            'brand', to_jsonb((SELECT b.name FROM brands AS b WHERE b.id = p.brand_id)),
            to_jsonb(CASE
                WHEN 'brand' = ANY(%(fields)s)
                    THEN coalesce((SELECT b.name FROM brands AS b WHERE lower(b.name) = lower(r.brand)), r.brand)
                ELSE (SELECT b.name FROM brands AS b WHERE b.id = p.brand_id)
            END)
        ),
        ('hidden', to_jsonb(p.hidden), to_jsonb(CASE WHEN p.blocked IS NULL THEN coalesce(r.hidden, p.hidden) ELSE p.hidden END)),
        ('weight_grams', to_jsonb(p.weight_grams), to_jsonb(/* include: weight */)),
        (
            'stock', to_jsonb(i.quantity),
            to_jsonb(CASE WHEN r.stock = r.stock_seen THEN i.quantity ELSE coalesce(r.stock, i.quantity) END)
        )
    ) AS f (name, before, after)
    WHERE f.before IS DISTINCT FROM f.after
) AS d;

-- name: images
-- The images of products before and after rows change them.
SELECT
    m.line,
    ARRAY(
        SELECT i.url
        FROM product_images AS i
        WHERE i.product_id = m.product_id
        ORDER BY i.is_main DESC, i.position, i.id
    ) AS before,
    r.image_urls AS after
FROM unnest(%(lines)s::bigint[], %(product_ids)s::bigint[]) AS m (line, product_id)
JOIN import_rows AS r ON r.import_id = %(import_id)s AND r.line = m.line;

-- name: touch_products
-- Products whose images alone differ.
UPDATE products AS p
SET version = p.version + 1, updated_at = now()
WHERE p.id = ANY(%(product_ids)s)
    AND /* own */ p.store_id = %(store_id)s;

-- name: remove_images
-- Removes images that the rows do not name. None is the main one until order_images sets it.
DELETE FROM product_images AS i
USING unnest(%(lines)s::bigint[], %(product_ids)s::bigint[]) AS m (line, product_id), import_rows AS r
WHERE i.product_id = m.product_id AND r.import_id = %(import_id)s AND r.line = m.line
    AND i.url <> ALL(r.image_urls);

-- name: unset_main_images
UPDATE product_images AS i
SET is_main = false
WHERE i.product_id = ANY(%(product_ids)s) AND i.is_main;

-- name: add_further_images
-- Images that existing products do not have yet.
INSERT INTO product_images (product_id, position, is_main, url, digest, width, height, placeholder, variants)
SELECT m.product_id, u.position, false, u.url, k.digest, k.width, k.height, k.placeholder, coalesce(k.variants, '[]')
FROM unnest(%(lines)s::bigint[], %(product_ids)s::bigint[]) AS m (line, product_id)
JOIN import_rows AS r ON r.import_id = %(import_id)s AND r.line = m.line
CROSS JOIN LATERAL unnest(r.image_urls) WITH ORDINALITY AS u (url, position)
LEFT JOIN LATERAL (
    SELECT i.digest, i.width, i.height, i.placeholder, i.variants
    FROM product_images AS i
    WHERE u.url LIKE chr(127) || '%%' AND i.digest = substring(u.url FROM '[0-9a-f]{64}') AND i.url = u.url
    LIMIT 1
) AS k ON true
WHERE NOT EXISTS (SELECT FROM product_images AS i WHERE i.product_id = m.product_id AND i.url = u.url)
    AND (u.url NOT LIKE chr(127) || '%%' OR k.digest IS NOT NULL);

-- name: order_images
-- In the order of the rows; the first one is the main image.
WITH places AS (
    SELECT
        i.product_id, i.id,
        row_number() OVER (PARTITION BY i.product_id ORDER BY array_position(r.image_urls, i.url), i.id) AS place
    FROM unnest(%(lines)s::bigint[], %(product_ids)s::bigint[]) AS m (line, product_id)
    JOIN import_rows AS r ON r.import_id = %(import_id)s AND r.line = m.line
    JOIN product_images AS i ON i.product_id = m.product_id
)

UPDATE product_images AS i
SET position = p.place, is_main = p.place = 1
FROM places AS p
WHERE i.product_id = p.product_id AND i.id = p.id;

-- name: lock_stock_ahead
-- For an import that is one transaction: stock before products, as everybody locks them; only the rows that
-- will change.
SELECT s.product_id
FROM inventory AS s
WHERE s.product_id = ANY(ARRAY(
    SELECT k.product_id
    FROM import_rows AS r
    CROSS JOIN LATERAL (
        SELECT coalesce(
            (SELECT v.product_id FROM variants AS v WHERE v.store_id = %(store_id)s AND v.id = r.variant_id),
            (SELECT v.product_id FROM variants AS v WHERE v.store_id = %(store_id)s AND v.sku = r.sku),
            (SELECT p.id FROM products AS p WHERE p.id = r.known_id AND p.store_id = %(store_id)s),
            (SELECT p.id FROM products AS p WHERE p.store_id = %(store_id)s AND p.sku = r.sku),
            (SELECT p.id FROM products AS p WHERE p.store_id = %(store_id)s AND md5(p.source_url) = md5(r.source_url))
        ) AS product_id
    ) AS k
    JOIN inventory AS i ON i.product_id = k.product_id
    WHERE r.import_id = %(import_id)s AND (r.stock <> i.quantity OR r.variant_hidden = i.on_sale)
))
ORDER BY s.product_id, s.variant_id
FOR NO KEY UPDATE;

-- name: change_stock
-- Through the verb, as every stock that a seller sets: it locks what it writes in the order of ids. Rows that it does
-- not take, with what there is: the stock is not any more what the file has seen.
SELECT m.lines[s.number] AS line, s.stock
FROM (
    SELECT
        array_agg(m.line ORDER BY m.place) AS lines,
        array_agg(m.place::integer ORDER BY m.place) AS numbers,
        array_agg(m.product_id ORDER BY m.place) AS product_ids,
        array_agg(m.variant_id ORDER BY m.place) AS variant_ids,
        array_agg(NULL::text) AS skus,
        array_agg(r.stock ORDER BY m.place) AS stock,
        array_agg(r.stock_seen ORDER BY m.place) AS expected,
        array_agg(NULL::integer) AS nothing
    FROM unnest(%(lines)s::bigint[], %(product_ids)s::bigint[], %(variant_ids)s::bigint[])
        WITH ORDINALITY AS m (line, product_id, variant_id, place)
    JOIN import_rows AS r ON r.import_id = %(import_id)s AND r.line = m.line
) AS m
CROSS JOIN LATERAL set_stock(
    of_store => %(store_id)s,
    numbers => m.numbers,
    product_ids => m.product_ids,
    variant_ids => m.variant_ids,
    skus => m.skus,
    set_to => m.stock,
    counted => m.nothing,
    changes => m.nothing,
    expected => m.expected
) AS s
WHERE m.numbers IS NOT NULL AND s.outcome = 'precondition_failed';

-- name: settle
-- The rest of these rows is applied and counted.
UPDATE import_rows
SET settled = true
WHERE import_id = %(import_id)s AND line = ANY(%(lines)s::bigint[]);

-- name: end_batch
-- All of the batch except these lines is done.
DELETE FROM import_rows AS r
WHERE r.import_id = %(import_id)s AND r.line > %(after_line)s AND r.line <= %(last_line)s
    AND r.line <> ALL(%(lines)s::bigint[]);

-- name: new_categories
-- Categories that would be added: their number, and the paths of the first.
WITH wanted AS (
    SELECT DISTINCT r.category
    FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.category IS NOT NULL
),

missing AS (
    SELECT DISTINCT ON (lower(p.path::text)) p.path
    FROM wanted AS w
    CROSS JOIN LATERAL generate_subscripts(w.category, 1) AS depth
    CROSS JOIN LATERAL (SELECT w.category[1:depth] AS path) AS p
    WHERE find_category(w.category) IS NULL AND find_category(p.path) IS NULL
    ORDER BY lower(p.path::text), p.path
)

SELECT
    count(*) AS count,
    coalesce(json_agg(array_to_string(m.path, ' > ') ORDER BY m.path) FILTER (WHERE m.place <= %(limit)s), '[]') AS first
FROM (SELECT n.path, row_number() OVER (ORDER BY n.path) AS place FROM missing AS n) AS m;

-- name: new_brands
-- Brands that would be added: their number, and the names of the first.
WITH missing AS (
    SELECT DISTINCT ON (lower(r.brand)) r.brand
    FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.brand IS NOT NULL
        AND NOT EXISTS (SELECT FROM brands AS b WHERE lower(b.name) = lower(r.brand))
    ORDER BY lower(r.brand), r.line
)

SELECT
    count(*) AS count,
    coalesce(json_agg(m.brand ORDER BY m.brand) FILTER (WHERE m.place <= %(limit)s), '[]') AS first
FROM (SELECT n.brand, row_number() OVER (ORDER BY n.brand) AS place FROM missing AS n) AS m;
