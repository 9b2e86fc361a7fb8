-- Stock: what sellers set and see of it, and what the worker keeps. The verbs are in
-- migrations/V0045__stock_verbs.sql.

-- name: refresh_low
-- Lists anew what is on sale and has at most so many pieces.
SELECT refresh_low_stock(%(most)s);

-- name: set
-- A batch of a store's rows of stock, through the verb; what became of each, in their order.
SELECT s.number AS row, s.outcome, s.product_id, nullif(s.variant_id, 0) AS variant_id, s.stock, s.reserved
FROM set_stock(
    of_store => %(store_id)s,
    numbers => %(numbers)s::integer[],
    product_ids => %(product_ids)s::bigint[],
    variant_ids => %(variant_ids)s::bigint[],
    skus => %(skus)s::text[],
    set_to => %(stock)s::integer[],
    counted => %(on_hand)s::integer[],
    changes => %(change)s::integer[],
    expected => %(expected_stock)s::integer[],
    all_or_none => %(all_or_none)s,
    dry_run => %(dry_run)s
) AS s
ORDER BY s.number;

-- fragment: stocked
-- What a seller's list of stock shows of each row of `page`, in the order of `place`.
SELECT
    page.product_id,
    nullif(page.variant_id, 0) AS variant_id,
    s.name,
    array_to_json(ARRAY(
        SELECT json_build_object('name', o.name, 'value', o.value)
        FROM unnest(s.option_names, s.options) WITH ORDINALITY AS o (name, value, place)
        ORDER BY o.place
    )) AS options,
    s.sku,
    coalesce((
        SELECT v.size ->> 'url'
        FROM json_array_elements(m.variants) AS v (size)
        WHERE v.size ->> 'name' = 'thumb'
    ), m.url) AS thumb_url,
    m.placeholder,
    s.price::text AS price,
    s.price_before::text AS price_before,
    s.weight_grams,
    s.min_quantity,
    s.hidden,
    page.quantity AS stock,
    page.reserved,
    page.quantity + page.reserved AS on_hand,
    page.key
FROM page
CROSS JOIN LATERAL (
    SELECT
        k.name, k.option_names, k.options, k.sku, k.price, k.price_before, k.weight_grams, k.min_quantity, k.hidden,
        k.image_id
    FROM sellables AS k
    WHERE k.product_id = page.product_id AND k.variant_id = page.variant_id
    LIMIT 1
) AS s
LEFT JOIN LATERAL (
    SELECT i.url, i.placeholder, i.variants
    FROM product_images AS i
    WHERE i.product_id = page.product_id
    ORDER BY i.id = s.image_id DESC NULLS LAST, i.is_main DESC, i.position, i.id
    LIMIT 1
) AS m ON true
ORDER BY page.place

-- fragment: rows_of_store
FROM products AS p
JOIN inventory AS i ON i.product_id = p.id
WHERE /* own */ p.store_id = %(store_id)s
    AND (p.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin')
    AND (%(product_id)s::bigint IS NULL OR p.id = %(product_id)s)

-- name: list
-- All rows of stock of a store, those of its newest products first. `key` is the time of the product, for the cursor.
WITH page AS (
    SELECT
        i.product_id, i.variant_id, i.quantity, i.reserved, p.created_at::text AS key,
        row_number() OVER (ORDER BY p.created_at DESC, p.id DESC, i.variant_id) AS place
    /* include: rows_of_store */
        AND (
            %(after_id)s::bigint IS NULL
            OR (
                (p.created_at, p.id) <= (%(after_key)s::timestamptz, %(after_id)s)
                AND (p.id <> %(after_id)s OR i.variant_id > %(after_variant)s::bigint)
            )
        )
    ORDER BY p.created_at DESC, p.id DESC, i.variant_id
    LIMIT %(limit)s OFFSET %(offset)s
)

/* include: stocked */;

-- name: count
SELECT count(*) AS matches
FROM (
    SELECT
    /* include: rows_of_store */
    LIMIT %(limit)s
) AS counted;

-- fragment: low_rows_of_store
FROM low_stock AS l
JOIN inventory AS i ON i.product_id = l.product_id AND i.variant_id = l.variant_id
WHERE /* own */ l.store_id = %(store_id)s
    AND l.quantity <= %(low)s
    AND (%(product_id)s::bigint IS NULL OR l.product_id = %(product_id)s)

-- name: list_low
-- What ran low when the worker last looked, the fewest first; `key` is how many there were then. The numbers are those
-- of now.
WITH page AS (
    SELECT
        i.product_id, i.variant_id, i.quantity, i.reserved, l.quantity::text AS key,
        row_number() OVER (ORDER BY l.quantity, l.product_id, l.variant_id) AS place
    /* include: low_rows_of_store */
        AND (
            %(after_id)s::bigint IS NULL
            OR (l.quantity, l.product_id, l.variant_id)
            > (%(after_key)s::integer, %(after_id)s, %(after_variant)s::bigint)
        )
    ORDER BY l.quantity, l.product_id, l.variant_id
    LIMIT %(limit)s OFFSET %(offset)s
)

/* include: stocked */;

-- name: count_low
SELECT count(*) AS matches
FROM (
    SELECT
    /* include: low_rows_of_store */
    LIMIT %(limit)s
) AS counted;

-- name: low_as_of
SELECT max(r.refreshed_at) AS as_of
FROM refreshes AS r
WHERE r.name = 'low_stock';

-- name: find_product
-- A product whose movements the caller may read.
SELECT p.id
FROM products AS p
WHERE p.id = %(product_id)s
    AND /* own */ (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
    AND (p.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin');

-- name: movements
-- Newest first. Each row of stock of the product (0 for what it had before it had variants) is read along its own
-- index, so that a page costs the same however much has moved.
SELECT
    m.id, m.created_at, m.variant_id, m.kind, m.change, m.change_reserved, m.order_id,
    o.number AS order_number, m.user_id,
    CASE
        WHEN m.order_id IS NOT NULL THEN 'order'
        WHEN m.user_id IS NULL THEN 'system'
        WHEN m.user_id = s.owner_id THEN 'store'
        ELSE 'admin'
    END AS by
FROM (
    SELECT i.variant_id
    FROM inventory AS i
    WHERE i.product_id = %(product_id)s
    UNION
    SELECT 0
) AS kind_of
CROSS JOIN LATERAL (
    SELECT
        t.id, t.created_at, nullif(t.variant_id, 0) AS variant_id, t.store_id, t.kind, t.change, t.change_reserved,
        t.order_id, t.user_id
    FROM stock_movements AS t
    WHERE t.product_id = %(product_id)s
        AND t.variant_id = kind_of.variant_id
        AND /* own */ (%(store_id)s::bigint IS NULL OR t.store_id = %(store_id)s)
        AND (
            %(after_id)s::bigint IS NULL
            OR (t.created_at, t.id) < (%(after_time)s::timestamptz, %(after_id)s)
        )
    ORDER BY t.created_at DESC, t.id DESC
    LIMIT %(limit)s
) AS m
JOIN stores AS s ON s.id = m.store_id
LEFT JOIN orders AS o ON o.id = m.order_id
WHERE %(variant_id)s::bigint IS NULL OR kind_of.variant_id = %(variant_id)s
ORDER BY m.created_at DESC, m.id DESC
LIMIT %(limit)s;
