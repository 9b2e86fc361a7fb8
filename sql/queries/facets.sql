-- Facets: the number of products for each choice that a buyer could make next.

-- fragment: left
-- What the filters leave.
AND NOT p.hidden
AND (%(ids)s::bigint[] IS NULL OR p.id = ANY(%(ids)s))
AND (%(brand_id)s::bigint IS NULL OR p.brand_id = %(brand_id)s)
AND (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
/* include: fitting */

-- fragment: fitting
AND (%(min_price)s::numeric IS NULL OR p.price >= %(min_price)s)
AND (%(max_price)s::numeric IS NULL OR p.price <= %(max_price)s)
AND (%(in_stock)s::boolean IS NULL OR p.in_stock = %(in_stock)s)

-- name: count
-- budget: 6000 buffers
-- Counts the products that the filters leave, or those `found` by words: at most `most`, the newest if there is
-- an order. `known` is as in products.list_narrow. What a page has read already comes as four arrays (`of_categories`
-- and so on). Returns a row for each choice: facet (category, brand, price, in_stock), id and name, or from and below
-- (price: 1, 2, 5, 10, 20...), and count. One row `all` has the count of all, and whether that is `complete`.
-- Categories are the children of `category_id`, or the top ones, each with all below it.
WITH asked AS MATERIALIZED (
    SELECT concat_ws(
        ' & ',
        '#c' || %(category_id)s::bigint,
        '#b' || %(brand_id)s::bigint,
        '#s' || %(store_id)s::bigint,
        (
            SELECT '(' || string_agg('#p' || n.price, ' | ') || ')'
            FROM (
                SELECT
                    search_price(coalesce(%(min_price)s::numeric, 0)) AS low,
                    search_price(coalesce(%(max_price)s::numeric, 1e12)) AS high
            ) AS range
            CROSS JOIN LATERAL generate_series(range.low, range.high) AS n (price)
            WHERE range.high - range.low < 20
        )
    )::tsquery AS filters
),

known AS MATERIALIZED (
    SELECT f.id
    FROM unnest(%(found)s::bigint[]) AS f (id)
    UNION ALL
    (
        SELECT s.product_id AS id
        FROM product_search AS s
        WHERE %(found)s::bigint[] IS NULL
            AND %(crossing)s::boolean
            AND %(of_prices)s::numeric[] IS NULL
            AND s.words @@ (SELECT a.filters FROM asked AS a)
        LIMIT %(most)s
    )
    UNION ALL
    (
        SELECT pc.product_id
        FROM product_categories AS pc
        WHERE %(found)s::bigint[] IS NULL
            AND NOT %(crossing)s::boolean
            AND pc.category_id = %(category_id)s
            AND (%(ids)s::bigint[] IS NULL OR pc.product_id = ANY(%(ids)s))
            AND (%(min_price)s::numeric IS NULL OR pc.price >= %(min_price)s)
            AND (%(max_price)s::numeric IS NULL OR pc.price <= %(max_price)s)
            AND (%(in_stock)s::boolean IS NULL OR pc.in_stock = %(in_stock)s)
        ORDER BY
            CASE
                WHEN %(min_price)s::numeric IS NULL AND %(max_price)s::numeric IS NULL AND %(in_stock)s::boolean IS NOT FALSE
                    THEN pc.created_at
            END DESC
        LIMIT %(most)s
    )
),

-- Rows of products, read where an index finds them: not once for the id, and again for the rest.
read_at_once AS MATERIALIZED (
    SELECT p.category_id, p.brand_id, p.price, p.in_stock
    FROM products AS p
    WHERE %(found)s::bigint[] IS NULL
        AND NOT %(crossing)s::boolean
        AND %(category_id)s::bigint IS NULL
        /* include: left */
    ORDER BY
        CASE
            WHEN %(min_price)s::numeric IS NULL AND %(max_price)s::numeric IS NULL AND %(in_stock)s::boolean IS NOT FALSE
                THEN p.created_at
        END DESC,
        CASE
            WHEN %(min_price)s::numeric IS NOT NULL OR %(max_price)s::numeric IS NOT NULL OR %(in_stock)s::boolean IS FALSE
                THEN p.price
        END,
        CASE
            WHEN %(min_price)s::numeric IS NOT NULL OR %(max_price)s::numeric IS NOT NULL OR %(in_stock)s::boolean IS FALSE
                THEN p.id
        END
    LIMIT %(most)s
),

counted AS MATERIALIZED (
    SELECT r.category_id, r.brand_id, r.price, r.in_stock
    FROM read_at_once AS r
    UNION ALL
    SELECT p.category_id, p.brand_id, p.price, p.in_stock
    FROM unnest(
        %(of_categories)s::bigint[], %(of_brands)s::bigint[], %(of_prices)s::numeric[], %(of_stock)s::boolean[]
    ) AS p (category_id, brand_id, price, in_stock)
    WHERE true
        /* include: fitting */
    UNION ALL
    SELECT p.category_id, p.brand_id, p.price, p.in_stock
    FROM products AS p
    WHERE (%(found)s::bigint[] IS NOT NULL OR %(crossing)s::boolean OR %(category_id)s::bigint IS NOT NULL)
        AND %(of_prices)s::numeric[] IS NULL
        AND p.id = ANY(ARRAY(SELECT k.id FROM known AS k)) -- sorted first: neighbours share a page
        /* include: left */
),

steps AS MATERIALIZED (
    SELECT ARRAY[0::numeric] || array_agg(d.digit * 10::numeric ^ p.power ORDER BY p.power, d.digit) AS lows
    FROM generate_series(0, 15) AS p (power)
    CROSS JOIN (VALUES (1), (2), (5)) AS d (digit)
)

SELECT
    'all' AS facet, NULL::bigint AS id, NULL AS name, (SELECT count(*) FROM counted AS c) AS count,
    (SELECT min(c.price) FROM counted AS c) AS low, (SELECT max(c.price) FROM counted AS c) AS high,
    NULL::boolean AS in_stock,
    (SELECT count(*) FROM known AS k) + (SELECT count(*) FROM read_at_once AS r) < %(most)s AS complete
UNION ALL
(
    SELECT 'category', below.id, below.name, sum(c.count)::bigint, NULL, NULL, NULL, NULL
    FROM (
        SELECT c.category_id, count(*) AS count
        FROM counted AS c
        WHERE 'category' = ANY(%(facets)s::text[]) AND c.category_id IS NOT NULL
        GROUP BY c.category_id
    ) AS c
    JOIN categories AS own ON own.id = c.category_id
    JOIN categories AS below
        ON below.id = own.path[coalesce(array_position(own.path, %(category_id)s::bigint), 0) + 1]
    GROUP BY below.id
    ORDER BY 4 DESC, 3, 2
    LIMIT 20
)
UNION ALL
(
    SELECT 'brand', b.id, b.name, c.count, NULL, NULL, NULL, NULL
    FROM (
        SELECT c.brand_id, count(*) AS count
        FROM counted AS c
        WHERE 'brand' = ANY(%(facets)s::text[]) AND c.brand_id IS NOT NULL
        GROUP BY c.brand_id
        ORDER BY count(*) DESC, c.brand_id
        LIMIT 20
    ) AS c
    JOIN brands AS b ON b.id = c.brand_id
    ORDER BY c.count DESC, b.id
)
UNION ALL
(
    SELECT 'price', NULL, NULL, b.count, s.lows[b.step], s.lows[b.step + 1], NULL, NULL
    FROM (
        SELECT width_bucket(c.price, (SELECT s.lows FROM steps AS s)) AS step, count(*) AS count
        FROM counted AS c
        WHERE 'price' = ANY(%(facets)s::text[])
        GROUP BY 1
    ) AS b
    CROSS JOIN steps AS s
    ORDER BY b.step
)
UNION ALL
SELECT 'in_stock', NULL, NULL, count(*), NULL, NULL, c.in_stock, NULL
FROM counted AS c
WHERE 'in_stock' = ANY(%(facets)s::text[])
GROUP BY c.in_stock;

-- name: categories
-- budget: 70 buffers
-- The same for whole categories, as the worker maintains it: for lists without another filter.
SELECT 'category' AS facet, c.id, c.name, k.products AS count
FROM categories AS c
JOIN category_counts AS k ON k.category_id = c.id
WHERE c.parent_id IS NOT DISTINCT FROM %(category_id)s::bigint AND k.products > 0
ORDER BY k.products DESC, c.name, c.id
LIMIT 20;
