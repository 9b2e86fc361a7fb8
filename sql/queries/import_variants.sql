-- Rows of an import that are variants of products: the steps of the worker, before those of import_rows.
--
-- A batch is a number of whole groups: the staged rows whose group_key is above after_key, up to last_key. What a
-- row is of is found anew each time, as in import_rows: by the variant's id, its SKU, the product's id or its
-- link, and the rest of its group is of the same product. Within it, rows without such a key are told apart by
-- their options.

-- fragment: keys
-- What the keys of a row belong to: a variant, or products by id, SKU and link.
LEFT JOIN LATERAL (
    SELECT v.product_id, v.id
    FROM variants AS v
    WHERE /* own */ v.store_id = %(store_id)s
        AND v.id = r.variant_id
    LIMIT 1
) AS numbered ON true
LEFT JOIN LATERAL (
    SELECT v.product_id, v.id
    FROM variants AS v
    WHERE v.store_id = %(store_id)s AND v.sku = r.sku
    LIMIT 1
) AS labelled ON true
LEFT JOIN LATERAL (
    SELECT p.id, p.variant_count > 0 AS varied
    FROM products AS p
    WHERE /* own */ p.store_id = %(store_id)s
        AND p.id = r.known_id
    LIMIT 1
) AS known ON true
LEFT JOIN LATERAL (
    SELECT p.id, p.variant_count > 0 AS varied
    FROM products AS p
    WHERE p.store_id = %(store_id)s AND p.sku = r.sku
    LIMIT 1
) AS coded ON true
LEFT JOIN LATERAL (
    SELECT p.id, p.variant_count > 0 AS varied
    FROM products AS p
    WHERE p.store_id = %(store_id)s AND md5(p.source_url) = md5(r.source_url)
    LIMIT 1
) AS linked ON true
CROSS JOIN LATERAL (
    SELECT
        coalesce(numbered.id, labelled.id) AS variant_id,
        coalesce(numbered.product_id, labelled.product_id) AS of_variant,
        coalesce(
            numbered.product_id,
            labelled.product_id,
            CASE WHEN known.varied THEN known.id END,
            CASE WHEN linked.varied THEN linked.id END,
            CASE WHEN coded.varied THEN coded.id END
        ) AS product_id,
        coalesce(NOT known.varied, false) OR coalesce(NOT coded.varied, false) OR coalesce(NOT linked.varied, false)
            AS simple
) AS met

-- name: any_there
-- Whether the store has variants, and whether the file may have.
SELECT
    EXISTS(
        SELECT
        FROM variants AS v
        WHERE /* own */ v.store_id = %(store_id)s
    ) AS in_store,
    EXISTS(SELECT FROM import_rows AS r WHERE r.import_id = %(import_id)s AND r.group_key IS NOT NULL) AS in_file;

-- name: part
-- Groups one of whose rows is of a simple product stay products of their own: their rows lose the key. How many rows.
WITH apart AS MATERIALIZED (
    SELECT DISTINCT r.group_key
    FROM import_rows AS r
    /* include: keys */
    WHERE r.import_id = %(import_id)s AND r.group_key IS NOT NULL AND met.simple AND met.product_id IS NULL
),

parted AS (
    UPDATE import_rows AS r
    SET group_key = NULL
    FROM apart AS a
    WHERE r.import_id = %(import_id)s AND r.group_key = a.group_key
    RETURNING r.line
)

UPDATE imports AS i
SET rows_apart = i.rows_apart + c.parted
FROM (SELECT count(*) AS parted FROM parted) AS c
WHERE i.id = %(import_id)s AND c.parted > 0
RETURNING c.parted;

-- name: attach
-- Rows of products with variants are applied with their variants, whatever the file says of options.
UPDATE import_rows AS r
SET group_key = 'id:' || lpad(found.product_id::text, 19, '0')
FROM (
    SELECT r.line, met.product_id
    FROM import_rows AS r
    /* include: keys */
    WHERE r.import_id = %(import_id)s AND r.group_key IS NULL AND met.product_id IS NOT NULL
) AS found
WHERE r.import_id = %(import_id)s AND r.line = found.line;

-- name: refuse_groups
-- Groups of too many rows, and rows with the options of an earlier one.
WITH judged AS (
    SELECT
        r.line,
        count(*) OVER (PARTITION BY r.group_key) > %(most)s AS many,
        r.option_values IS NOT NULL
        AND row_number() OVER (PARTITION BY r.group_key, r.option_values ORDER BY r.line) > 1 AS same
    FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.group_key IS NOT NULL
),

refused AS (
    DELETE FROM import_rows AS r
    USING judged AS j
    WHERE r.import_id = %(import_id)s AND r.line = j.line AND (j.many OR j.same)
    RETURNING r.line, j.many
),

told AS (
    INSERT INTO import_errors (import_id, line, number, code, message)
    SELECT
        %(import_id)s, u.line, 1,
        CASE WHEN u.many THEN 'too_many_variants' ELSE 'duplicate_options' END,
        CASE WHEN u.many THEN %(words_many)s::text ELSE %(words_same)s::text END
    FROM refused AS u
)

UPDATE imports AS i
SET rows_valid = i.rows_valid - c.refused,
    rows_bad = i.rows_bad + c.refused
FROM (SELECT count(*) AS refused FROM refused) AS c
WHERE i.id = %(import_id)s AND c.refused > 0
RETURNING c.refused;

-- name: next_batch
-- The last key of the batch, NULL when nothing is left; and the first and last of its lines. It ends with a group.
WITH ahead AS (
    SELECT r.group_key
    FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.group_key > %(after_key)s
    ORDER BY r.group_key, r.line
    LIMIT %(limit)s
)

SELECT
    max(r.group_key) AS last_key,
    min(r.line) AS first_line,
    max(r.line) AS last_line,
    count(r.category) > 0 AS has_categories,
    count(r.brand) > 0 AS has_brands,
    coalesce(array_agg(DISTINCT r.group_key), '{}') AS keys
FROM import_rows AS r
WHERE r.import_id = %(import_id)s
    AND r.group_key > %(after_key)s
    AND r.group_key <= (SELECT max(a.group_key) FROM ahead AS a);

-- name: match
-- What each row of the batch is of, what is wrong with it, and what differs. Of a product the first row counts, save
-- that it is hidden if all rows say so, and has the images of all. `before` and `after` have the fields that differ,
-- those of the product in its first row.
WITH rows AS MATERIALIZED (
    SELECT
        r.line, r.group_key, r.name, r.product_name, r.description, r.product_description, r.price, r.stock, r.sku,
        r.source_url, r.category, r.wished_category, r.brand, r.image_urls, r.hidden, r.settled, r.option_names,
        r.option_values, r.gallery, r.variant_image, r.variant_hidden, r.barcode, r.weight_grams, r.price_before,
        r.stock_seen, r.product_id AS new_id, met.variant_id, met.of_variant, met.product_id, met.simple,
        r.in_stock
    FROM import_rows AS r
    /* include: keys */
    WHERE r.import_id = %(import_id)s AND r.group_key > %(after_key)s AND r.group_key <= %(last_key)s
),

targets AS MATERIALIZED (
    SELECT
        r.group_key,
        (array_agg(r.product_id ORDER BY r.line) FILTER (WHERE r.product_id IS NOT NULL))[1] AS product_id,
        (array_agg(cardinality(r.option_values) ORDER BY r.line) FILTER (WHERE r.option_values IS NOT NULL))[1] AS options
    FROM rows AS r
    GROUP BY r.group_key
),

found AS MATERIALIZED (
    SELECT
        r.line, r.group_key, r.settled, r.new_id, t.product_id, t.options,
        coalesce(t.product_id::text, r.group_key) AS owner,
        r.simple AND r.product_id IS NULL AS parted,
        r.simple OR coalesce(r.product_id <> t.product_id, false) AS conflict,
        coalesce(
            CASE WHEN r.of_variant = t.product_id THEN r.variant_id END,
            (
                SELECT v.id
                FROM variants AS v
                WHERE v.product_id = t.product_id AND v.options = r.option_values AND r.variant_id IS NULL
            )
        ) AS variant_id
    FROM rows AS r
    JOIN targets AS t ON t.group_key = r.group_key
),

placed AS MATERIALIZED (
    SELECT
        f.line, f.group_key, f.settled, f.new_id, f.product_id, f.options, f.owner, f.parted, f.conflict, f.variant_id,
        row_number() OVER (PARTITION BY f.owner ORDER BY f.line) = 1 AS first,
        bool_and(r.hidden) OVER (PARTITION BY f.owner) AS all_hidden,
        row_number() OVER (PARTITION BY f.owner, f.variant_id ORDER BY f.line) > 1 AND f.variant_id IS NOT NULL AS again,
        r.option_values IS NOT NULL
        AND row_number() OVER (PARTITION BY f.owner, r.option_values ORDER BY f.line) > 1 AS same,
        count(*) FILTER (WHERE f.variant_id IS NULL AND r.option_values IS NOT NULL)
            OVER (PARTITION BY f.owner ORDER BY f.line) AS further
    FROM found AS f
    JOIN rows AS r ON r.line = f.line
),

pictures AS MATERIALIZED (
    SELECT u.owner, (array_agg(u.url ORDER BY u.phase, u.line, u.place))[1:200] AS urls
    FROM (
        SELECT DISTINCT ON (p.owner, g.url) p.owner, g.url, g.phase, p.line, g.place
        FROM placed AS p
        JOIN rows AS r ON r.line = p.line
        CROSS JOIN LATERAL (
            SELECT s.url, s.place, 0 AS phase FROM unnest(r.gallery) WITH ORDINALITY AS s (url, place)
            UNION ALL
            SELECT s.url, s.place, 1 FROM unnest(r.image_urls) WITH ORDINALITY AS s (url, place)
            UNION ALL
            SELECT r.variant_image, 1, 2 WHERE r.variant_image IS NOT NULL AND r.image_urls <> '{}'
        ) AS g
        ORDER BY p.owner, g.url, g.phase, p.line, g.place
    ) AS u
    GROUP BY u.owner
),

compared AS (
    SELECT
        p.line, p.group_key, p.settled, p.new_id, p.product_id, p.variant_id, p.owner, p.parted, p.first,
        coalesce(r.product_name, r.name) AS name, r.price::text AS price,
        coalesce(p.all_hidden, t.hidden) AS all_hidden, r.variant_image, r.option_values, i.quantity AS there, r.stock, r.stock_seen,
        coalesce(r.stock, CASE WHEN r.in_stock THEN greatest(%(default_stock)s, 1) ELSE %(default_stock)s END) AS new_stock,
        coalesce(r.variant_hidden, false) AS new_hidden,
        p.variant_id IS NULL AND r.option_values IS NOT NULL AS fresh,
        coalesce(t.hidden AND r.hidden IS NULL, false) AS stays_hidden,
        coalesce(r.variant_hidden <> v.hidden, false) AS shows_or_hides,
        CASE WHEN p.first THEN g.urls END AS images,
        CASE
            WHEN p.parted THEN 'simple_product'
            WHEN p.conflict THEN 'conflicting_keys'
            WHEN cardinality(r.option_values) <> coalesce(cardinality(t.option_names), p.options) THEN 'options_differ'
            WHEN p.variant_id IS NULL AND r.option_values IS NULL AND p.product_id IS NULL THEN 'required_option'
            WHEN p.variant_id IS NULL AND r.option_values IS NULL THEN
                CASE
                    WHEN r.price <> t.price OR (r.stock <> own.quantity AND (r.stock IS DISTINCT FROM r.stock_seen))
                        OR r.sku IS NOT NULL THEN 'has_variants'
                END
            WHEN p.variant_id IS NULL AND r.price IS NULL THEN 'required_price'
            WHEN p.product_id IS NULL AND r.name IS NULL THEN 'required_name'
            WHEN p.again OR p.same THEN 'duplicate_options'
            WHEN EXISTS (
                SELECT
                FROM variants AS other
                WHERE other.product_id = p.product_id AND other.options = r.option_values AND other.id <> p.variant_id
            ) THEN 'duplicate_options'
            WHEN p.variant_id IS NULL AND coalesce(t.variant_count, 0) + p.further > %(most)s THEN 'too_many_variants'
            WHEN r.price_before <= coalesce(r.price, v.price) THEN 'price_before_too_low'
            WHEN r.stock <> r.stock_seen AND i.quantity <> r.stock AND i.quantity <> r.stock_seen THEN 'precondition_failed'
        END AS code,
        p.product_id IS NOT NULL AND p.first AND (
            coalesce(r.product_name, r.name) <> t.name
            OR (p.all_hidden <> t.hidden AND t.blocked IS NULL)
            OR (r.source_url IS NOT NULL AND r.source_url IS DISTINCT FROM t.source_url)
            OR r.option_names <> t.option_names
            OR (
                'description' = ANY(%(fields)s)
                AND coalesce(r.product_description, r.description) IS DISTINCT FROM t.description
            )
            OR (
                'category' = ANY(%(fields)s)
                AND (r.category IS NOT NULL OR r.wished_category IS NULL)
                AND (c.id IS DISTINCT FROM t.category_id OR (r.category IS NOT NULL AND c.id IS NULL))
            )
            OR (
                'brand' = ANY(%(fields)s)
                AND (k.id IS DISTINCT FROM t.brand_id OR (r.brand IS NOT NULL AND k.id IS NULL))
            )
        ) AS product_changed,
        p.product_id IS NOT NULL AND p.first AND g.urls IS NOT NULL AND g.urls <> ARRAY(
            SELECT m.url
            FROM product_images AS m
            WHERE m.product_id = p.product_id
            ORDER BY m.is_main DESC, m.position, m.id
        ) AS pictures_changed,
        p.variant_id IS NOT NULL AND (
            r.price <> v.price
            OR (r.sku IS NOT NULL AND r.sku IS DISTINCT FROM v.sku)
            OR r.option_values <> v.options
            OR r.variant_hidden <> v.hidden
            OR (r.barcode IS DISTINCT FROM v.barcode AND (r.barcode IS NOT NULL OR 'variant_barcode' = ANY(%(fields)s)))
            OR (
                r.weight_grams IS DISTINCT FROM v.weight_grams
                AND (r.weight_grams IS NOT NULL OR 'weight_grams' = ANY(%(fields)s))
            )
            OR (
                r.price_before IS DISTINCT FROM v.price_before
                AND (r.price_before IS NOT NULL OR 'price_before' = ANY(%(fields)s))
            )
            OR (
                r.variant_image IS DISTINCT FROM picture.url
                AND (
                    r.variant_image = ANY(g.urls)
                    OR EXISTS (
                        SELECT
                        FROM product_images AS m
                        WHERE m.product_id = p.product_id AND m.url = r.variant_image
                    )
                    OR (r.variant_image IS NULL AND 'variant_image' = ANY(%(fields)s))
                )
            )
        ) AS variant_changed,
        p.variant_id IS NOT NULL
        AND r.stock <> i.quantity
        AND (r.stock IS DISTINCT FROM r.stock_seen) AS stock_changed
    FROM placed AS p
    JOIN rows AS r ON r.line = p.line
    LEFT JOIN pictures AS g ON g.owner = p.owner
    LEFT JOIN products AS t ON t.id = p.product_id
    LEFT JOIN variants AS v ON v.product_id = p.product_id AND v.id = p.variant_id
    LEFT JOIN product_images AS picture ON picture.product_id = v.product_id AND picture.id = v.image_id
    LEFT JOIN inventory AS i ON i.product_id = p.product_id AND i.variant_id = p.variant_id
    LEFT JOIN LATERAL (
        SELECT coalesce(sum(s.quantity) FILTER (WHERE s.on_sale), 0) AS quantity
        FROM inventory AS s
        WHERE s.product_id = p.product_id
    ) AS own ON p.variant_id IS NULL
    CROSS JOIN LATERAL (SELECT CASE WHEN p.first THEN find_category(r.category) END AS id) AS c
    LEFT JOIN brands AS k ON p.first AND lower(k.name) = lower(r.brand)
)

SELECT
    c.line, c.group_key, c.settled, c.new_id, c.product_id, c.variant_id, c.owner, c.name, c.price, c.parted, c.first,
    c.all_hidden, c.variant_image,
    c.option_values, c.there, c.stock, c.stock_seen, c.new_stock, c.new_hidden, c.fresh, c.stays_hidden,
    c.shows_or_hides, c.images, c.code, c.product_changed, c.pictures_changed, c.variant_changed, c.stock_changed
FROM compared AS c
ORDER BY c.line;

-- name: describe
-- Before and after of the fields that differ, of rows that change a product or a variant; images are not among them.
SELECT r.line, d.before, d.after
FROM unnest(
    %(lines)s::bigint[], %(product_ids)s::bigint[], %(variant_ids)s::bigint[], %(firsts)s::boolean[],
    %(hidden)s::boolean[]
) AS m (line, product_id, variant_id, first, hidden)
JOIN import_rows AS r ON r.import_id = %(import_id)s AND r.line = m.line
JOIN products AS t ON t.id = m.product_id
LEFT JOIN variants AS v ON v.product_id = m.product_id AND v.id = m.variant_id
LEFT JOIN product_images AS picture ON picture.product_id = v.product_id AND picture.id = v.image_id
LEFT JOIN inventory AS i ON i.product_id = m.product_id AND i.variant_id = m.variant_id
CROSS JOIN LATERAL (
    SELECT json_object_agg(f.name, f.before) AS before, json_object_agg(f.name, f.after) AS after
    FROM (
        SELECT c.name, c.before, c.after
        FROM (
            VALUES
            ('name', to_jsonb(t.name), to_jsonb(coalesce(r.product_name, r.name, t.name))),
            (
                'description', to_jsonb(left(t.description, 500)),
                to_jsonb(left(CASE
                    WHEN 'description' = ANY(%(fields)s) THEN coalesce(r.product_description, r.description)
                    ELSE t.description
                END, 500))
            ),
            ('source_url', to_jsonb(t.source_url), to_jsonb(coalesce(r.source_url, t.source_url))),
            (
                'category', to_jsonb(category_path(t.category_id)),
                to_jsonb(CASE
                    WHEN 'category' <> ALL(%(fields)s) OR (r.category IS NULL AND r.wished_category IS NOT NULL)
                        OR find_category(r.category) = t.category_id THEN category_path(t.category_id)
                    ELSE array_to_string(r.category, ' > ')
                END)
            ),
            (
                'brand', to_jsonb((SELECT b.name FROM brands AS b WHERE b.id = t.brand_id)),
                to_jsonb(CASE
                    WHEN 'brand' = ANY(%(fields)s)
                        THEN coalesce((SELECT b.name FROM brands AS b WHERE lower(b.name) = lower(r.brand)), r.brand)
                    ELSE (SELECT b.name FROM brands AS b WHERE b.id = t.brand_id)
                END)
            ),
            ('hidden', to_jsonb(t.hidden), to_jsonb(CASE WHEN t.blocked IS NULL THEN m.hidden ELSE t.hidden END)),
            ('option_names', to_jsonb(t.option_names), to_jsonb(coalesce(r.option_names, t.option_names)))
        ) AS c (name, before, after)
        WHERE m.first
        UNION ALL
        SELECT c.name, c.before, c.after
        FROM (
            VALUES
            ('price', to_jsonb(v.price::text), to_jsonb(coalesce(r.price, v.price)::text)),
            (
                'price_before', to_jsonb(v.price_before::text),
                to_jsonb((/* include: struck */)::text)
            ),
            ('sku', to_jsonb(v.sku), to_jsonb(coalesce(r.sku, v.sku))),
            ('options', to_jsonb(v.options), to_jsonb(coalesce(r.option_values, v.options))),
            ('variant_hidden', to_jsonb(v.hidden), to_jsonb(coalesce(r.variant_hidden, v.hidden))),
            (
                'barcode', to_jsonb(v.barcode),
                to_jsonb(CASE WHEN 'variant_barcode' = ANY(%(fields)s) THEN r.barcode ELSE coalesce(r.barcode, v.barcode) END)
            ),
            (
                'weight_grams', to_jsonb(v.weight_grams),
                to_jsonb(CASE
                    WHEN 'weight_grams' = ANY(%(fields)s) THEN r.weight_grams
                    ELSE coalesce(r.weight_grams, v.weight_grams)
                END)
            ),
            (
                'variant_image', to_jsonb(picture.url),
                to_jsonb(CASE
                    WHEN 'variant_image' = ANY(%(fields)s) THEN r.variant_image
                    ELSE coalesce(r.variant_image, picture.url)
                END)
            ),
            (
                'stock', to_jsonb(i.quantity),
                to_jsonb(CASE WHEN r.stock = r.stock_seen THEN i.quantity ELSE coalesce(r.stock, i.quantity) END)
            )
        ) AS c (name, before, after)
        WHERE v.id IS NOT NULL
    ) AS f
    WHERE f.before IS DISTINCT FROM f.after
) AS d;

-- fragment: struck
CASE
    WHEN r.price_before IS NOT NULL OR 'price_before' = ANY(%(fields)s) THEN r.price_before
    WHEN v.price_before > coalesce(r.price, v.price) THEN v.price_before
END

-- name: images_of
-- The images of these products, as links in their order.
SELECT i.product_id, array_agg(i.url ORDER BY i.is_main DESC, i.position, i.id) AS urls
FROM product_images AS i
WHERE i.product_id = ANY(%(product_ids)s)
GROUP BY i.product_id;

-- name: lock_stock
-- Before products, as everybody locks them: of those whose variants are shown or hidden, and of the products of an
-- import that is one transaction.
SELECT i.product_id
FROM inventory AS i
WHERE i.product_id = ANY(%(product_ids)s)
ORDER BY i.product_id, i.variant_id
FOR NO KEY UPDATE;

-- name: add_products
-- A product for each of these groups, from its first row.
WITH rows AS MATERIALIZED (
    SELECT
        r.group_key, r.line, coalesce(r.product_name, r.name) AS name,
        coalesce(r.product_description, r.description) AS description, r.price, r.source_url, r.category, r.brand,
        r.hidden, r.option_names, coalesce(r.variant_hidden, false) AS variant_hidden, r.product_id,
        coalesce(r.stock, CASE WHEN r.in_stock THEN greatest(%(default_stock)s, 1) ELSE %(default_stock)s END) AS stock
    FROM import_rows AS r
    WHERE r.import_id = %(import_id)s AND r.group_key = ANY(%(keys)s)
),

firsts AS (
    SELECT DISTINCT ON (r.group_key)
        r.group_key, r.line, r.product_id, r.name, r.description, r.source_url, r.category, r.brand, r.option_names
    FROM rows AS r
    ORDER BY r.group_key, r.line
),

sums AS (
    SELECT
        r.group_key,
        count(*) AS variants,
        coalesce(min(r.price) FILTER (WHERE NOT r.variant_hidden), min(r.price)) AS lowest,
        coalesce(max(r.price) FILTER (WHERE NOT r.variant_hidden), max(r.price)) AS highest,
        coalesce(bool_and(r.hidden), false) AS hidden,
        bool_or(r.stock > 0 AND NOT r.variant_hidden) AS in_stock
    FROM rows AS r
    GROUP BY r.group_key
)

INSERT INTO products (
    id, store_id, category_id, brand_id, name, description, price, price_max, source_url, hidden, in_stock, option_names,
    variant_count
)
OVERRIDING SYSTEM VALUE
SELECT
    f.product_id, %(store_id)s, find_category(f.category), b.id, f.name, f.description, s.lowest,
    nullif(s.highest, s.lowest), f.source_url, s.hidden, s.in_stock, f.option_names, s.variants
FROM firsts AS f
JOIN sums AS s ON s.group_key = f.group_key
LEFT JOIN brands AS b ON lower(b.name) = lower(f.brand)
ORDER BY f.line;

-- name: remove_images
DELETE FROM product_images AS i
WHERE i.product_id = ANY(%(product_ids)s)
    AND NOT EXISTS (
        SELECT
        FROM unnest(%(of_products)s::bigint[], %(urls)s::text[]) AS w (product_id, url)
        WHERE w.product_id = i.product_id AND w.url = i.url
    );

-- name: unset_main_images
UPDATE product_images AS i
SET is_main = false
WHERE i.product_id = ANY(%(product_ids)s) AND i.is_main;

-- name: add_images
-- Images that products do not have yet; uploads that nobody uses any more are left out.
INSERT INTO product_images (product_id, position, is_main, url, digest, width, height, placeholder, variants)
SELECT w.product_id, w.place, false, w.url, k.digest, k.width, k.height, k.placeholder, coalesce(k.variants, '[]')
FROM unnest(%(of_products)s::bigint[], %(urls)s::text[]) WITH ORDINALITY AS w (product_id, url, place)
LEFT JOIN LATERAL (
    SELECT i.digest, i.width, i.height, i.placeholder, i.variants
    FROM product_images AS i
    WHERE w.url LIKE chr(127) || '%%' AND i.digest = substring(w.url FROM '[0-9a-f]{64}') AND i.url = w.url
    LIMIT 1
) AS k ON true
WHERE NOT EXISTS (SELECT FROM product_images AS i WHERE i.product_id = w.product_id AND i.url = w.url)
    AND (w.url NOT LIKE chr(127) || '%%' OR k.digest IS NOT NULL);

-- name: order_images
-- In the order of the rows; the first one is the main image.
WITH places AS (
    SELECT i.product_id, i.id, row_number() OVER (PARTITION BY i.product_id ORDER BY w.place, i.id) AS place
    FROM unnest(%(of_products)s::bigint[], %(urls)s::text[]) WITH ORDINALITY AS w (product_id, url, place)
    JOIN product_images AS i ON i.product_id = w.product_id AND i.url = w.url
)

UPDATE product_images AS i
SET position = p.place, is_main = p.place = 1
FROM places AS p
WHERE i.product_id = p.product_id AND i.id = p.id;

-- name: add_variants
-- Rows that are variants nobody has yet, of these products.
INSERT INTO variants (
    product_id, store_id, position, options, sku, barcode, price, price_before, weight_grams, image_id, hidden
)
SELECT
    m.product_id, %(store_id)s,
    coalesce((SELECT max(v.position) FROM variants AS v WHERE v.product_id = m.product_id), 0)
    + row_number() OVER (PARTITION BY m.product_id ORDER BY m.line),
    r.option_values, r.sku, r.barcode, r.price, r.price_before, r.weight_grams,
    (SELECT i.id FROM product_images AS i WHERE i.product_id = m.product_id AND i.url = r.variant_image LIMIT 1),
    coalesce(r.variant_hidden, false)
FROM unnest(%(lines)s::bigint[], %(product_ids)s::bigint[]) AS m (line, product_id)
JOIN import_rows AS r ON r.import_id = %(import_id)s AND r.line = m.line
ORDER BY m.line
RETURNING product_id, id, options;

-- name: add_stock
INSERT INTO inventory (product_id, variant_id, quantity, on_sale)
SELECT s.product_id, s.variant_id, s.quantity, s.on_sale
FROM unnest(%(product_ids)s::bigint[], %(variant_ids)s::bigint[], %(quantities)s::integer[], %(on_sale)s::boolean[])
    AS s (product_id, variant_id, quantity, on_sale)
ORDER BY s.product_id, s.variant_id;

-- name: change_variants
-- Writes the file's values to existing variants, whose products are locked.
UPDATE variants AS v
SET price = coalesce(r.price, v.price),
    price_before = /* include: struck */,
    sku = coalesce(r.sku, v.sku),
    options = coalesce(r.option_values, v.options),
    hidden = coalesce(r.variant_hidden, v.hidden),
    barcode = CASE WHEN 'variant_barcode' = ANY(%(fields)s) THEN r.barcode ELSE coalesce(r.barcode, v.barcode) END,
    weight_grams = CASE
        WHEN 'weight_grams' = ANY(%(fields)s) THEN r.weight_grams
        ELSE coalesce(r.weight_grams, v.weight_grams)
    END,
    image_id = CASE
        WHEN r.variant_image IS NOT NULL THEN coalesce(
            (SELECT i.id FROM product_images AS i WHERE i.product_id = v.product_id AND i.url = r.variant_image LIMIT 1),
            v.image_id
        )
        WHEN 'variant_image' <> ALL(%(fields)s) THEN v.image_id
    END,
    version = v.version + 1,
    updated_at = now()
FROM unnest(%(lines)s::bigint[], %(product_ids)s::bigint[], %(variant_ids)s::bigint[]) AS m (line, product_id, variant_id)
JOIN import_rows AS r ON r.import_id = %(import_id)s AND r.line = m.line
WHERE v.product_id = m.product_id AND v.id = m.variant_id
    AND /* own */ v.store_id = %(store_id)s;

-- name: show_or_hide
-- The stock of variants that are shown or hidden; its rows are locked.
UPDATE inventory AS i
SET on_sale = NOT v.hidden
FROM variants AS v
WHERE i.product_id = ANY(%(product_ids)s)
    AND v.product_id = i.product_id
    AND v.id = i.variant_id
    AND i.on_sale = v.hidden;

-- name: change_products
-- Writes what the first rows say of their products, which are locked; and what is so because of the variants.
UPDATE products AS t
SET name = coalesce(r.product_name, r.name, t.name),
    description = CASE
        WHEN r.line IS NOT NULL AND 'description' = ANY(%(fields)s) THEN coalesce(r.product_description, r.description)
        ELSE t.description
    END,
    category_id = CASE
        WHEN r.line IS NOT NULL AND 'category' = ANY(%(fields)s) AND (r.category IS NOT NULL OR r.wished_category IS NULL)
            THEN find_category(r.category)
        ELSE t.category_id
    END,
    brand_id = CASE
        WHEN r.line IS NOT NULL AND 'brand' = ANY(%(fields)s)
            THEN (SELECT b.id FROM brands AS b WHERE lower(b.name) = lower(r.brand))
        ELSE t.brand_id
    END,
    source_url = coalesce(r.source_url, t.source_url),
    hidden = CASE WHEN t.blocked IS NULL THEN coalesce(m.hidden, t.hidden) ELSE t.hidden END,
    option_names = coalesce(r.option_names, t.option_names),
    price = coalesce(s.lowest, t.price),
    price_max = nullif(s.highest, s.lowest),
    price_before = CASE WHEN t.price_before > coalesce(s.lowest, t.price) THEN t.price_before END,
    variant_count = s.variants,
    version = t.version + 1,
    updated_at = now()
FROM unnest(%(product_ids)s::bigint[], %(lines)s::bigint[], %(hidden)s::boolean[]) AS m (product_id, line, hidden)
LEFT JOIN import_rows AS r ON r.import_id = %(import_id)s AND r.line = m.line
CROSS JOIN LATERAL (
    SELECT
        count(*) AS variants,
        min(v.price) FILTER (WHERE NOT v.hidden) AS lowest,
        max(v.price) FILTER (WHERE NOT v.hidden) AS highest
    FROM variants AS v
    WHERE v.product_id = m.product_id
) AS s
WHERE t.id = m.product_id
    AND /* own */ t.store_id = %(store_id)s;

-- name: end_batch
-- All of the batch except these lines is done.
DELETE FROM import_rows AS r
WHERE r.import_id = %(import_id)s AND r.group_key > %(after_key)s AND r.group_key <= %(last_key)s
    AND r.line <> ALL(%(lines)s::bigint[]);
