-- Products. How lists are read is in README.md: hot shapes are prepared statements of their own; `list` and `list_category`
-- are static text with optional filters, sent unprepared, so that PostgreSQL folds the constants and plans as if each
-- had been written by hand; `list_narrow` takes what many filters leave.
--
-- sort: newest, price, name, stock; `descending` turns it, ids break ties in the same direction.

-- name: list_newest
-- budget: 900 buffers
-- The first thing an app shows; page mode begins after 'infinity'. This and the next four answer one row for the page, as
-- a row for each product costs twice the packets: `items` is the JSON of all that were read, one a line, `found` how many;
-- `key` and `id` are of the last but one, where the next page begins; `about` is how many there may be, and `counted` how
-- many there are up to `most`, unless there are many more or nobody asks (0).
-- Values come as subqueries, and LIMIT 101 says what the largest page is, so that no plan depends on them: it is made once
-- for a connection. Planning takes as long as the rest.
WITH kept AS MATERIALIZED (
    SELECT (SELECT c.reltuples::bigint FROM pg_class AS c WHERE c.oid = 'products'::regclass) AS about
)

SELECT
    string_agg(shown.item, E',\n') AS items,
    count(*) AS found,
    (array_agg(shown.key))[(SELECT %(limit)s::integer) - 1]::text AS key,
    (array_agg(shown.id))[(SELECT %(limit)s::integer) - 1] AS id,
    (SELECT k.about FROM kept AS k) AS about,
    CASE
        WHEN (SELECT %(most)s::integer) > 0 AND (SELECT coalesce(k.about, 0) FROM kept AS k) <= 2 * (SELECT %(most)s::integer)
            THEN (
                SELECT count(*)
                FROM (
                    SELECT
                    FROM products AS p
                    WHERE NOT p.hidden
                    LIMIT (SELECT %(most)s::integer)
                ) AS counted
            )
    END AS counted
FROM (
    SELECT
        page.id, page.key,
        concat(d.document, ',"stock":', i.quantity, ',"in_stock":', page.in_stock::text, '}') AS item
    FROM (
        SELECT walked.*
        FROM (
            SELECT p.id AS id, p.in_stock, p.created_at AS key
            FROM products AS p
            WHERE NOT p.hidden
                AND (p.created_at, p.id) < ((SELECT %(after_time)s::timestamptz), (SELECT %(after_id)s::bigint))
            ORDER BY p.created_at DESC, p.id DESC
            LIMIT (SELECT %(limit)s::integer) OFFSET (SELECT %(offset)s::integer)
        ) AS walked
        ORDER BY walked.key DESC, walked.id DESC
        LIMIT 101
    ) AS page
    JOIN product_documents AS d ON d.product_id = page.id
    JOIN inventory AS i ON i.product_id = page.id
    ORDER BY page.key DESC, page.id DESC
) AS shown;

-- name: list_category_newest
-- budget: 900 buffers
WITH kept AS MATERIALIZED (
    SELECT (SELECT c.products FROM category_counts AS c WHERE c.category_id = (SELECT %(category_id)s::bigint)) AS about
)

SELECT
    string_agg(shown.item, E',\n') AS items,
    count(*) AS found,
    (array_agg(shown.key))[(SELECT %(limit)s::integer) - 1]::text AS key,
    (array_agg(shown.id))[(SELECT %(limit)s::integer) - 1] AS id,
    (SELECT k.about FROM kept AS k) AS about,
    CASE
        WHEN (SELECT %(most)s::integer) > 0 AND (SELECT coalesce(k.about, 0) FROM kept AS k) <= 2 * (SELECT %(most)s::integer)
            THEN (
                SELECT count(*)
                FROM (
                    SELECT
                    FROM product_categories AS pc
                    WHERE pc.category_id = (SELECT %(category_id)s::bigint)
                    LIMIT (SELECT %(most)s::integer)
                ) AS counted
            )
    END AS counted
FROM (
    SELECT
        page.id, page.key,
        concat(d.document, ',"stock":', i.quantity, ',"in_stock":', page.in_stock::text, '}') AS item
    FROM (
        SELECT walked.*
        FROM (
            SELECT pc.product_id AS id, pc.in_stock, pc.created_at AS key
            FROM product_categories AS pc
            WHERE pc.category_id = (SELECT %(category_id)s::bigint)
                AND (pc.created_at, pc.product_id) < ((SELECT %(after_time)s::timestamptz), (SELECT %(after_id)s::bigint))
            ORDER BY pc.created_at DESC, pc.product_id DESC
            LIMIT (SELECT %(limit)s::integer) OFFSET (SELECT %(offset)s::integer)
        ) AS walked
        ORDER BY walked.key DESC, walked.id DESC
        LIMIT 101
    ) AS page
    JOIN product_documents AS d ON d.product_id = page.id
    JOIN inventory AS i ON i.product_id = page.id
    ORDER BY page.key DESC, page.id DESC
) AS shown;

-- name: list_category_cheapest
-- budget: 220 buffers
WITH kept AS MATERIALIZED (
    SELECT (SELECT c.products FROM category_counts AS c WHERE c.category_id = (SELECT %(category_id)s::bigint)) AS about
)

SELECT
    string_agg(shown.item, E',\n') AS items,
    count(*) AS found,
    (array_agg(shown.key))[(SELECT %(limit)s::integer) - 1]::text AS key,
    (array_agg(shown.id))[(SELECT %(limit)s::integer) - 1] AS id,
    (SELECT k.about FROM kept AS k) AS about,
    CASE
        WHEN (SELECT %(most)s::integer) > 0 AND (SELECT coalesce(k.about, 0) FROM kept AS k) <= 2 * (SELECT %(most)s::integer)
            THEN (
                SELECT count(*)
                FROM (
                    SELECT
                    FROM product_categories AS pc
                    WHERE pc.category_id = (SELECT %(category_id)s::bigint)
                    LIMIT (SELECT %(most)s::integer)
                ) AS counted
            )
    END AS counted
FROM (
    SELECT
        page.id, page.key,
        concat(d.document, ',"stock":', i.quantity, ',"in_stock":', page.in_stock::text, '}') AS item
    FROM (
        SELECT walked.*
        FROM (
            SELECT pc.product_id AS id, pc.in_stock, pc.price AS key
            FROM product_categories AS pc
            WHERE pc.category_id = (SELECT %(category_id)s::bigint)
                AND (pc.price, pc.product_id) > ((SELECT %(after_price)s::numeric), (SELECT %(after_id)s::bigint))
            ORDER BY pc.price, pc.product_id
            LIMIT (SELECT %(limit)s::integer) OFFSET (SELECT %(offset)s::integer)
        ) AS walked
        ORDER BY walked.key, walked.id
        LIMIT 101
    ) AS page
    JOIN product_documents AS d ON d.product_id = page.id
    JOIN inventory AS i ON i.product_id = page.id
    ORDER BY page.key, page.id
) AS shown;

-- name: list_brand_newest
-- budget: 220 buffers
SELECT
    string_agg(shown.item, E',\n') AS items,
    count(*) AS found,
    (array_agg(shown.key))[(SELECT %(limit)s::integer) - 1]::text AS key,
    (array_agg(shown.id))[(SELECT %(limit)s::integer) - 1] AS id,
    NULL::bigint AS about,
    CASE
        WHEN (SELECT %(most)s::integer) > 0
            THEN (
                SELECT count(*)
                FROM (
                    SELECT
                    FROM products AS p
                    WHERE NOT p.hidden AND p.brand_id = (SELECT %(brand_id)s::bigint)
                    LIMIT (SELECT %(most)s::integer)
                ) AS counted
            )
    END AS counted
FROM (
    SELECT
        page.id, page.key,
        concat(d.document, ',"stock":', i.quantity, ',"in_stock":', page.in_stock::text, '}') AS item
    FROM (
        SELECT walked.*
        FROM (
            SELECT p.id AS id, p.in_stock, p.created_at AS key
            FROM products AS p
            WHERE NOT p.hidden AND p.brand_id = (SELECT %(brand_id)s::bigint)
                AND (p.created_at, p.id) < ((SELECT %(after_time)s::timestamptz), (SELECT %(after_id)s::bigint))
            ORDER BY p.created_at DESC, p.id DESC
            LIMIT (SELECT %(limit)s::integer) OFFSET (SELECT %(offset)s::integer)
        ) AS walked
        ORDER BY walked.key DESC, walked.id DESC
        LIMIT 101
    ) AS page
    JOIN product_documents AS d ON d.product_id = page.id
    JOIN inventory AS i ON i.product_id = page.id
    ORDER BY page.key DESC, page.id DESC
) AS shown;

-- name: list_store_newest
-- budget: 1500 buffers
SELECT
    string_agg(shown.item, E',\n') AS items,
    count(*) AS found,
    (array_agg(shown.key))[(SELECT %(limit)s::integer) - 1]::text AS key,
    (array_agg(shown.id))[(SELECT %(limit)s::integer) - 1] AS id,
    NULL::bigint AS about,
    CASE
        WHEN (SELECT %(most)s::integer) > 0
            THEN (
                SELECT count(*)
                FROM (
                    SELECT
                    FROM products AS p
                    WHERE NOT p.hidden AND p.store_id = (SELECT %(store_id)s::bigint)
                    LIMIT (SELECT %(most)s::integer)
                ) AS counted
            )
    END AS counted
FROM (
    SELECT
        page.id, page.key,
        concat(d.document, ',"stock":', i.quantity, ',"in_stock":', page.in_stock::text, '}') AS item
    FROM (
        SELECT walked.*
        FROM (
            SELECT p.id AS id, p.in_stock, p.created_at AS key
            FROM products AS p
            WHERE NOT p.hidden AND p.store_id = (SELECT %(store_id)s::bigint)
                AND (p.created_at, p.id) < ((SELECT %(after_time)s::timestamptz), (SELECT %(after_id)s::bigint))
            ORDER BY p.created_at DESC, p.id DESC
            LIMIT (SELECT %(limit)s::integer) OFFSET (SELECT %(offset)s::integer)
        ) AS walked
        ORDER BY walked.key DESC, walked.id DESC
        LIMIT 101
    ) AS page
    JOIN product_documents AS d ON d.product_id = page.id
    JOIN inventory AS i ON i.product_id = page.id
    ORDER BY page.key DESC, page.id DESC
) AS shown;

-- name: list
-- budget: 4300 buffers
-- Everything on sale, or one store's own with `show_hidden`; no category (list_category), no words (search.find), not by
-- stock (list_stock).
-- `walked` goes along the index that has the order, at most `walk` rows of it; what that index does not know is looked at
-- after.
WITH walked AS (
    SELECT p.id, p.price, p.in_stock, p.store_id, p.created_at, p.name_key
    FROM products AS p
    WHERE CASE WHEN %(show_hidden)s::boolean THEN p.store_id = (SELECT my_store_id()) ELSE NOT p.hidden END
        AND (%(hidden)s::boolean IS NULL OR p.hidden = %(hidden)s)
        AND (%(ids)s::bigint[] IS NULL OR p.id = ANY(%(ids)s))
        AND (%(brand_id)s::bigint IS NULL OR p.brand_id = %(brand_id)s)
        AND /* own */ (%(brand_id)s::bigint IS NOT NULL OR %(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
        AND (%(sort)s <> 'price' OR %(min_price)s::numeric IS NULL OR p.price >= %(min_price)s)
        AND (%(sort)s <> 'price' OR %(max_price)s::numeric IS NULL OR p.price <= %(max_price)s)
        AND (%(in_stock)s::boolean IS NOT TRUE OR p.in_stock)
        AND (%(in_stock)s::boolean IS NOT FALSE OR %(sort)s <> 'price' OR NOT p.in_stock)
        AND (
            %(after_id)s::bigint IS NULL
            OR CASE
                WHEN %(sort)s = 'newest' AND %(descending)s THEN (p.created_at, p.id) < (%(after_time)s::timestamptz, %(after_id)s)
                WHEN %(sort)s = 'newest' THEN (p.created_at, p.id) > (%(after_time)s::timestamptz, %(after_id)s)
                WHEN %(sort)s = 'price' AND %(descending)s THEN (p.price, p.id) < (%(after_price)s::numeric, %(after_id)s)
                WHEN %(sort)s = 'price' THEN (p.price, p.id) > (%(after_price)s::numeric, %(after_id)s)
                WHEN %(descending)s THEN (p.name_key, p.id) < (%(after_name)s::text COLLATE "C", %(after_id)s)
                ELSE (p.name_key, p.id) > (%(after_name)s::text COLLATE "C", %(after_id)s)
            END
        )
    ORDER BY
        CASE WHEN %(sort)s = 'newest' AND %(descending)s THEN p.created_at END DESC,
        CASE WHEN %(sort)s = 'newest' AND NOT %(descending)s THEN p.created_at END,
        CASE WHEN %(sort)s = 'price' AND %(descending)s THEN p.price END DESC,
        CASE WHEN %(sort)s = 'price' AND NOT %(descending)s THEN p.price END,
        CASE WHEN %(sort)s = 'name' AND %(descending)s THEN p.name_key END DESC,
        CASE WHEN %(sort)s = 'name' AND NOT %(descending)s THEN p.name_key END,
        CASE WHEN %(descending)s THEN p.id END DESC,
        CASE WHEN NOT %(descending)s THEN p.id END
    LIMIT %(walk)s
),

shown AS (
    SELECT w.id
    FROM walked AS w
    WHERE (%(store_id)s::bigint IS NULL OR w.store_id = %(store_id)s)
        AND (%(min_price)s::numeric IS NULL OR w.price >= %(min_price)s)
        AND (%(max_price)s::numeric IS NULL OR w.price <= %(max_price)s)
        AND (%(in_stock)s::boolean IS NULL OR w.in_stock = %(in_stock)s)
    ORDER BY
        CASE WHEN %(sort)s = 'newest' AND %(descending)s THEN w.created_at END DESC,
        CASE WHEN %(sort)s = 'newest' AND NOT %(descending)s THEN w.created_at END,
        CASE WHEN %(sort)s = 'price' AND %(descending)s THEN w.price END DESC,
        CASE WHEN %(sort)s = 'price' AND NOT %(descending)s THEN w.price END,
        CASE WHEN %(sort)s = 'name' AND %(descending)s THEN w.name_key END DESC,
        CASE WHEN %(sort)s = 'name' AND NOT %(descending)s THEN w.name_key END,
        CASE WHEN %(descending)s THEN w.id END DESC,
        CASE WHEN NOT %(descending)s THEN w.id END
    LIMIT %(limit)s OFFSET %(offset)s
)

SELECT
    d.document, i.quantity, p.in_stock, p.id,
    CASE
        WHEN %(sort)s = 'newest' THEN p.created_at::text
        WHEN %(sort)s = 'price' THEN p.price::text
        WHEN %(sort)s = 'name' THEN p.name_key
    END AS key
FROM unnest(ARRAY(SELECT s.id FROM shown AS s)) WITH ORDINALITY AS page (id, place)
JOIN products AS p ON p.id = page.id
JOIN product_documents AS d ON d.product_id = page.id
JOIN inventory AS i ON i.product_id = page.id
ORDER BY page.place;

-- name: list_stock
-- budget: 350 buffers
-- Everything on sale, or some ids, by what is left of it.
WITH walked AS (
    SELECT i.product_id, i.quantity
    FROM inventory AS i
    JOIN products AS p ON p.id = i.product_id
    WHERE CASE WHEN %(show_hidden)s::boolean THEN p.store_id = (SELECT my_store_id()) ELSE NOT p.hidden END
        AND (%(hidden)s::boolean IS NULL OR p.hidden = %(hidden)s)
        AND (%(ids)s::bigint[] IS NULL OR i.product_id = ANY(%(ids)s))
        AND (%(in_stock)s::boolean IS NOT TRUE OR i.quantity > 0)
        AND (%(in_stock)s::boolean IS NOT FALSE OR i.quantity = 0)
        AND /* own */ (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
        AND (%(brand_id)s::bigint IS NULL OR p.brand_id = %(brand_id)s)
        AND (%(min_price)s::numeric IS NULL OR p.price >= %(min_price)s)
        AND (%(max_price)s::numeric IS NULL OR p.price <= %(max_price)s)
        AND (
            %(category_id)s::bigint IS NULL
            OR EXISTS (
                SELECT
                FROM product_categories AS pc
                WHERE pc.product_id = i.product_id AND pc.category_id = %(category_id)s
            )
        )
        AND (
            %(after_id)s::bigint IS NULL
            OR CASE
                WHEN %(descending)s THEN (i.quantity, i.product_id) < (%(after_stock)s::integer, %(after_id)s)
                ELSE (i.quantity, i.product_id) > (%(after_stock)s::integer, %(after_id)s)
            END
        )
    ORDER BY
        CASE WHEN %(descending)s THEN i.quantity END DESC,
        CASE WHEN NOT %(descending)s THEN i.quantity END,
        CASE WHEN %(descending)s THEN i.product_id END DESC,
        CASE WHEN NOT %(descending)s THEN i.product_id END
    LIMIT %(limit)s OFFSET %(offset)s
)

SELECT d.document, i.quantity, p.in_stock, p.id, i.quantity::text AS key
FROM unnest(ARRAY(SELECT w.product_id FROM walked AS w)) WITH ORDINALITY AS page (id, place)
JOIN products AS p ON p.id = page.id
JOIN product_documents AS d ON d.product_id = page.id
JOIN inventory AS i ON i.product_id = page.id
ORDER BY page.place;

-- name: list_category
-- budget: 4300 buffers
-- A category with its subtree: product_categories has the order, products the other filters. As `list`.
WITH walked AS (
    SELECT pc.product_id, pc.price, pc.in_stock, pc.created_at, pc.name_key
    FROM product_categories AS pc
    WHERE pc.category_id = %(category_id)s
        AND (%(ids)s::bigint[] IS NULL OR pc.product_id = ANY(%(ids)s))
        AND (%(sort)s <> 'price' OR %(min_price)s::numeric IS NULL OR pc.price >= %(min_price)s)
        AND (%(sort)s <> 'price' OR %(max_price)s::numeric IS NULL OR pc.price <= %(max_price)s)
        AND (%(in_stock)s::boolean IS NOT TRUE OR pc.in_stock)
        AND (%(in_stock)s::boolean IS NOT FALSE OR %(sort)s <> 'price' OR NOT pc.in_stock)
        AND (
            %(after_id)s::bigint IS NULL
            OR CASE
                WHEN %(sort)s = 'newest' AND %(descending)s THEN (pc.created_at, pc.product_id) < (%(after_time)s::timestamptz, %(after_id)s)
                WHEN %(sort)s = 'newest' THEN (pc.created_at, pc.product_id) > (%(after_time)s::timestamptz, %(after_id)s)
                WHEN %(sort)s = 'price' AND %(descending)s THEN (pc.price, pc.product_id) < (%(after_price)s::numeric, %(after_id)s)
                WHEN %(sort)s = 'price' THEN (pc.price, pc.product_id) > (%(after_price)s::numeric, %(after_id)s)
                WHEN %(descending)s THEN (pc.name_key, pc.product_id) < (%(after_name)s::text COLLATE "C", %(after_id)s)
                ELSE (pc.name_key, pc.product_id) > (%(after_name)s::text COLLATE "C", %(after_id)s)
            END
        )
    ORDER BY
        CASE WHEN %(sort)s = 'newest' AND %(descending)s THEN pc.created_at END DESC,
        CASE WHEN %(sort)s = 'newest' AND NOT %(descending)s THEN pc.created_at END,
        CASE WHEN %(sort)s = 'price' AND %(descending)s THEN pc.price END DESC,
        CASE WHEN %(sort)s = 'price' AND NOT %(descending)s THEN pc.price END,
        CASE WHEN %(sort)s = 'name' AND %(descending)s THEN pc.name_key END DESC,
        CASE WHEN %(sort)s = 'name' AND NOT %(descending)s THEN pc.name_key END,
        CASE WHEN %(descending)s THEN pc.product_id END DESC,
        CASE WHEN NOT %(descending)s THEN pc.product_id END
    LIMIT %(walk)s
),

shown AS (
    SELECT w.product_id
    FROM walked AS w
    LEFT JOIN products AS p ON p.id = w.product_id
    WHERE (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
        AND (%(brand_id)s::bigint IS NULL OR p.brand_id = %(brand_id)s)
        AND (%(min_price)s::numeric IS NULL OR w.price >= %(min_price)s)
        AND (%(max_price)s::numeric IS NULL OR w.price <= %(max_price)s)
        AND (%(in_stock)s::boolean IS NULL OR w.in_stock = %(in_stock)s)
    ORDER BY
        CASE WHEN %(sort)s = 'newest' AND %(descending)s THEN w.created_at END DESC,
        CASE WHEN %(sort)s = 'newest' AND NOT %(descending)s THEN w.created_at END,
        CASE WHEN %(sort)s = 'price' AND %(descending)s THEN w.price END DESC,
        CASE WHEN %(sort)s = 'price' AND NOT %(descending)s THEN w.price END,
        CASE WHEN %(sort)s = 'name' AND %(descending)s THEN w.name_key END DESC,
        CASE WHEN %(sort)s = 'name' AND NOT %(descending)s THEN w.name_key END,
        CASE WHEN %(descending)s THEN w.product_id END DESC,
        CASE WHEN NOT %(descending)s THEN w.product_id END
    LIMIT %(limit)s OFFSET %(offset)s
)

SELECT
    d.document, i.quantity, p.in_stock, p.id,
    CASE
        WHEN %(sort)s = 'newest' THEN p.created_at::text
        WHEN %(sort)s = 'price' THEN p.price::text
        WHEN %(sort)s = 'name' THEN p.name_key
    END AS key
FROM unnest(ARRAY(SELECT s.product_id FROM shown AS s)) WITH ORDINALITY AS page (id, place)
JOIN products AS p ON p.id = page.id
JOIN product_documents AS d ON d.product_id = page.id
JOIN inventory AS i ON i.product_id = page.id
ORDER BY page.place;

-- name: list_narrow
-- budget: 10500 buffers
-- What several filters leave of the catalogue, sorted here: for filters that leave so little that walking along an order
-- finds nothing for long. Two or more of category, brand and store (`crossing`) are known together by the index of
-- product_search; else an index of the one and the price knows them. `complete`: these are all, not just `most`.
-- `matches` and `complete` stand in every row; a page behind the end is one row without a document.
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
    (
        SELECT s.product_id AS id
        FROM product_search AS s
        WHERE %(crossing)s::boolean AND s.words @@ (SELECT a.filters FROM asked AS a)
        LIMIT %(most)s
    )
    UNION ALL
    (
        SELECT pc.product_id
        FROM product_categories AS pc
        WHERE NOT %(crossing)s::boolean
            AND pc.category_id = %(category_id)s
            AND (%(min_price)s::numeric IS NULL OR pc.price >= %(min_price)s)
            AND (%(max_price)s::numeric IS NULL OR pc.price <= %(max_price)s)
            AND (%(in_stock)s::boolean IS NULL OR pc.in_stock = %(in_stock)s)
        LIMIT %(most)s
    )
    UNION ALL
    (
        SELECT p.id
        FROM products AS p
        WHERE NOT %(crossing)s::boolean
            AND %(category_id)s::bigint IS NULL
            AND CASE WHEN %(show_hidden)s::boolean THEN p.store_id = (SELECT my_store_id()) ELSE NOT p.hidden END
            AND (%(hidden)s::boolean IS NULL OR p.hidden = %(hidden)s)
            AND /* own */ (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
            AND (%(brand_id)s::bigint IS NULL OR p.brand_id = %(brand_id)s)
            AND (%(min_price)s::numeric IS NULL OR p.price >= %(min_price)s)
            AND (%(max_price)s::numeric IS NULL OR p.price <= %(max_price)s)
            AND (%(in_stock)s::boolean IS NULL OR p.in_stock = %(in_stock)s)
        LIMIT %(most)s
    )
),

narrow AS MATERIALIZED (
    SELECT p.id, p.created_at, p.price, p.name_key, p.in_stock
    FROM products AS p
    WHERE p.id = ANY(ARRAY(SELECT k.id FROM known AS k)) -- sorted first: neighbours share a page
        AND CASE WHEN %(show_hidden)s::boolean THEN p.store_id = (SELECT my_store_id()) ELSE NOT p.hidden END
        AND (%(hidden)s::boolean IS NULL OR p.hidden = %(hidden)s)
        AND (%(min_price)s::numeric IS NULL OR p.price >= %(min_price)s)
        AND (%(max_price)s::numeric IS NULL OR p.price <= %(max_price)s)
        AND (%(in_stock)s::boolean IS NULL OR p.in_stock = %(in_stock)s)
)

SELECT
    d.document, i.quantity, page.in_stock, page.id,
    CASE
        WHEN %(sort)s = 'newest' THEN page.created_at::text
        WHEN %(sort)s = 'price' THEN page.price::text
        WHEN %(sort)s = 'name' THEN page.name_key
    END AS key,
    n.matches,
    n.complete
FROM (
    SELECT
        (SELECT count(*) FROM narrow AS m) AS matches,
        (SELECT count(*) FROM known AS k) < %(most)s AS complete
) AS n
LEFT JOIN (
    SELECT sorted.*, row_number() OVER () AS place
    FROM (
        SELECT m.id, m.created_at, m.price, m.name_key, m.in_stock
        FROM narrow AS m
        WHERE %(after_id)s::bigint IS NULL
            OR CASE
                WHEN %(sort)s = 'newest' AND %(descending)s THEN (m.created_at, m.id) < (%(after_time)s::timestamptz, %(after_id)s)
                WHEN %(sort)s = 'newest' THEN (m.created_at, m.id) > (%(after_time)s::timestamptz, %(after_id)s)
                WHEN %(sort)s = 'price' AND %(descending)s THEN (m.price, m.id) < (%(after_price)s::numeric, %(after_id)s)
                WHEN %(sort)s = 'price' THEN (m.price, m.id) > (%(after_price)s::numeric, %(after_id)s)
                WHEN %(descending)s THEN (m.name_key, m.id) < (%(after_name)s::text COLLATE "C", %(after_id)s)
                ELSE (m.name_key, m.id) > (%(after_name)s::text COLLATE "C", %(after_id)s)
            END
        ORDER BY
            CASE WHEN %(sort)s = 'newest' AND %(descending)s THEN m.created_at END DESC,
            CASE WHEN %(sort)s = 'newest' AND NOT %(descending)s THEN m.created_at END,
            CASE WHEN %(sort)s = 'price' AND %(descending)s THEN m.price END DESC,
            CASE WHEN %(sort)s = 'price' AND NOT %(descending)s THEN m.price END,
            CASE WHEN %(sort)s = 'name' AND %(descending)s THEN m.name_key END DESC,
            CASE WHEN %(sort)s = 'name' AND NOT %(descending)s THEN m.name_key END,
            CASE WHEN %(descending)s THEN m.id END DESC,
            CASE WHEN NOT %(descending)s THEN m.id END
        LIMIT %(limit)s OFFSET %(offset)s
    ) AS sorted
) AS page ON true
LEFT JOIN product_documents AS d ON d.product_id = page.id
LEFT JOIN inventory AS i ON i.product_id = page.id
ORDER BY page.place;

-- name: count
-- budget: 1400 buffers
-- What a list of one filter goes through, counted up to `most`; EXPLAIN of it without that is the estimate past it.
SELECT count(*) AS matches
FROM (
    SELECT
    FROM products AS p
    WHERE CASE WHEN %(show_hidden)s::boolean THEN p.store_id = (SELECT my_store_id()) ELSE NOT p.hidden END
        AND (%(hidden)s::boolean IS NULL OR p.hidden = %(hidden)s)
        AND (%(ids)s::bigint[] IS NULL OR p.id = ANY(%(ids)s))
        AND /* own */ (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
        AND (%(brand_id)s::bigint IS NULL OR p.brand_id = %(brand_id)s)
        AND (%(min_price)s::numeric IS NULL OR p.price >= %(min_price)s)
        AND (%(max_price)s::numeric IS NULL OR p.price <= %(max_price)s)
        AND (%(in_stock)s::boolean IS NULL OR p.in_stock = %(in_stock)s)
    LIMIT %(most)s
) AS counted;

-- name: count_category
-- budget: 30 buffers
SELECT count(*) AS matches
FROM (
    SELECT
    FROM product_categories AS pc
    LEFT JOIN products AS p ON p.id = pc.product_id
    WHERE pc.category_id = %(category_id)s
        AND (%(ids)s::bigint[] IS NULL OR pc.product_id = ANY(%(ids)s))
        AND (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
        AND (%(brand_id)s::bigint IS NULL OR p.brand_id = %(brand_id)s)
        AND (%(min_price)s::numeric IS NULL OR pc.price >= %(min_price)s)
        AND (%(max_price)s::numeric IS NULL OR pc.price <= %(max_price)s)
        AND (%(in_stock)s::boolean IS NULL OR pc.in_stock = %(in_stock)s)
    LIMIT %(most)s
) AS counted;

-- name: find
-- budget: 12 buffers
-- One product as the API answers it; hidden ones only with `show_hidden`. `tag` changes when the answer does; document and
-- description are not read for a client that has the answer (`known`).
SELECT
    t.tag,
    CASE WHEN t.tag <> ALL(%(known)s::text[]) THEN d.document END AS document,
    i.quantity AS stock,
    p.in_stock,
    CASE WHEN t.tag <> ALL(%(known)s::text[]) THEN coalesce(to_json(p.description)::text, 'null') END AS description,
    p.name, p.store_id, p.version
FROM products AS p
JOIN product_documents AS d ON d.product_id = p.id
JOIN inventory AS i ON i.product_id = p.id
CROSS JOIN LATERAL (
    SELECT concat(p.version, '.', i.quantity, '-', to_hex(d.digest)) AS tag
) AS t
WHERE p.id = %(product_id)s
    AND (
        NOT p.hidden
        OR (%(show_hidden)s::boolean AND (p.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin'))
    );

-- name: list_descriptions
SELECT p.id, p.description
FROM products AS p
WHERE /* own */ p.id = ANY(%(ids)s)
    AND (p.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin');

-- name: find_sku
-- The store's product that has this SKU, or whose variant has it.
SELECT p.id
FROM products AS p
WHERE /* own */ p.store_id = %(store_id)s AND p.sku = %(sku)s
    AND (p.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin')
UNION ALL
SELECT v.product_id
FROM variants AS v
WHERE v.store_id = %(store_id)s AND v.sku = %(sku)s
    AND (v.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin')
LIMIT 1;

-- name: find_own
-- What a change starts from. Locked with its stock, so that two changes of one product follow each other and the second
-- sees what the first wrote; somebody else's is not there. The stock first, as a sale locks it that then flips in_stock.
SELECT
    p.id, p.store_id, p.category_id, p.brand_id, p.name, p.description, p.price, p.sku, p.source_url, p.hidden,
    p.version, i.quantity AS stock
FROM products AS p
JOIN inventory AS i ON i.product_id = p.id
WHERE p.id = %(product_id)s
    AND /* own */ (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
    AND (p.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin')
FOR UPDATE OF i, p;

-- name: add
WITH added AS (
    INSERT INTO products (store_id, category_id, brand_id, name, description, price, sku, source_url, hidden, in_stock)
    VALUES (
        %(store_id)s, %(category_id)s, %(brand_id)s, %(name)s, %(description)s, %(price)s, %(sku)s, %(source_url)s,
        %(hidden)s, %(stock)s::integer > 0
    )
    RETURNING id
)

INSERT INTO inventory (product_id, quantity)
SELECT a.id, %(stock)s
FROM added AS a
RETURNING product_id;

-- name: change
UPDATE products
SET category_id = %(category_id)s,
    brand_id = %(brand_id)s,
    name = %(name)s,
    description = %(description)s,
    price = %(price)s,
    sku = %(sku)s,
    source_url = %(source_url)s,
    hidden = %(hidden)s,
    version = version + 1,
    updated_at = now()
WHERE id = %(product_id)s
    AND /* own */ (%(store_id)s::bigint IS NULL OR store_id = %(store_id)s);

-- name: touch
-- The pictures of a product have changed: so has the product.
UPDATE products
SET version = version + 1, updated_at = now()
WHERE id = %(product_id)s
    AND /* own */ (%(store_id)s::bigint IS NULL OR store_id = %(store_id)s);

-- name: set_stock
UPDATE inventory
SET quantity = %(stock)s
WHERE product_id = %(product_id)s AND quantity <> %(stock)s;
