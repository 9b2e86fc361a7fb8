-- Products. README.md explains how lists are read. Hot shapes are prepared statements of their own. `list` and
-- `list_category` are static text with optional filters, sent unprepared, so that PostgreSQL folds the
-- constants and plans as if each had been written by hand. `list_narrow` collects what many filters leave.
--
-- `sort` is newest, price or name; `descending` reverses it, and ids break ties in the same direction.
-- Every list reads from an alias p with the columns id, price, in_stock, created_at and name_key, so filters,
-- cursors and orders are the same text for all of them. A row of a list is one text, from the view
-- product_cards (V0018).

-- The hot lists. --------------------------------------------------------------------------------------------

-- fragment: newest
-- The end of a hot list. Before it come `kept`, about how many products the list has, and `base`, the products.
walked AS (
    SELECT p.id, p.created_at AS key
    FROM base AS p
    WHERE (p.created_at, p.id) < ((SELECT %(after_time)s::timestamptz), (SELECT %(after_id)s::bigint))
    ORDER BY p.created_at DESC, p.id DESC
    /* include: window */
),

page AS (SELECT w.id, w.key FROM walked AS w ORDER BY w.key DESC, w.id DESC LIMIT 101),

shown AS (
    /* include: cards */
    ORDER BY page.key DESC, page.id DESC
)

/* include: one_row */

-- fragment: cheapest
walked AS (
    SELECT p.id, p.price AS key
    FROM base AS p
    WHERE (p.price, p.id) > ((SELECT %(after_price)s::numeric), (SELECT %(after_id)s::bigint))
    ORDER BY p.price, p.id
    /* include: window */
),

page AS (SELECT w.id, w.key FROM walked AS w ORDER BY w.key, w.id LIMIT 101),

shown AS (
    /* include: cards */
    ORDER BY page.key, page.id
)

/* include: one_row */

-- fragment: window
LIMIT (SELECT %(limit)s::integer) OFFSET (SELECT %(offset)s::integer)

-- fragment: cards
SELECT page.id, page.key, card.document AS item
FROM page
JOIN product_cards AS card ON card.product_id = page.id

-- fragment: one_row
-- A row for each product would cost twice the packets. `items` is the JSON of all that were read, one a line,
-- `found` their number. `key` and `id` are of the last but one, where the next page starts. `about` is the
-- estimated total, and `counted` the exact one up to `most`, unless there are many more or `most` is 0.
--
-- Values come as subqueries, and LIMIT 101 is the largest page, so no plan depends on them: it is made once for
-- a connection. Planning takes as long as the rest.
SELECT
    string_agg(shown.item, E',\n') AS items,
    count(*) AS found,
    (array_agg(shown.key))[(SELECT %(limit)s::integer) - 1]::text AS key,
    (array_agg(shown.id))[(SELECT %(limit)s::integer) - 1] AS id,
    (SELECT k.about FROM kept AS k) AS about,
    CASE
        WHEN (SELECT %(most)s::integer) > 0 AND (SELECT coalesce(k.about, 0) FROM kept AS k) <= 2 * (SELECT %(most)s::integer)
            THEN (SELECT count(*) FROM (SELECT FROM base AS b LIMIT (SELECT %(most)s::integer)) AS counted)
    END AS counted
FROM shown

-- fragment: of_category
WITH kept AS MATERIALIZED (
    SELECT (SELECT c.products FROM category_counts AS c WHERE c.category_id = (SELECT %(category_id)s::bigint)) AS about
),

base AS NOT MATERIALIZED (
    SELECT pc.product_id AS id, pc.created_at, pc.price
    FROM product_categories AS pc
    WHERE pc.category_id = (SELECT %(category_id)s::bigint)
),

-- fragment: not_kept
WITH kept AS MATERIALIZED (SELECT NULL::bigint AS about),

-- fragment: on_sale
SELECT p.id, p.created_at
FROM products AS p
WHERE NOT p.hidden

-- name: list_newest
-- budget: 900 buffers
-- The first thing an app shows. Page mode starts after 'infinity'.
WITH kept AS MATERIALIZED (
    SELECT (SELECT c.reltuples::bigint FROM pg_class AS c WHERE c.oid = 'products'::regclass) AS about
),

base AS NOT MATERIALIZED (
    /* include: on_sale */
),

/* include: newest */;

-- name: list_category_newest
-- budget: 900 buffers
/* include: of_category */

/* include: newest */;

-- name: list_category_cheapest
-- budget: 220 buffers
/* include: of_category */

/* include: cheapest */;

-- name: list_brand_newest
-- budget: 220 buffers
/* include: not_kept */

base AS NOT MATERIALIZED (
    /* include: on_sale */
    AND p.brand_id = (SELECT %(brand_id)s::bigint)
),

/* include: newest */;

-- name: list_store_newest
-- budget: 260 buffers
/* include: not_kept */

base AS NOT MATERIALIZED (
    /* include: on_sale */
    AND p.store_id = (SELECT %(store_id)s::bigint)
),

/* include: newest */;

-- The other lists. ------------------------------------------------------------------------------------------

-- fragment: visible
AND CASE
    WHEN %(show_hidden)s::boolean THEN p.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin'
    ELSE NOT p.hidden
END
AND (%(hidden)s::boolean IS NULL OR p.hidden = %(hidden)s)

-- fragment: priced
AND (%(min_price)s::numeric IS NULL OR p.price >= %(min_price)s)
AND (%(max_price)s::numeric IS NULL OR p.price <= %(max_price)s)

-- fragment: fitting
/* include: priced */
AND (%(in_stock)s::boolean IS NULL OR p.in_stock = %(in_stock)s)

-- fragment: along_the_index
-- Conditions that the index of the order knows. Sorted by price, it has sold-out products in one place.
AND (%(sort)s <> 'price' OR %(min_price)s::numeric IS NULL OR p.price >= %(min_price)s)
AND (%(sort)s <> 'price' OR %(max_price)s::numeric IS NULL OR p.price <= %(max_price)s)
AND (%(in_stock)s::boolean IS NOT TRUE OR p.in_stock)
AND (%(in_stock)s::boolean IS NOT FALSE OR %(sort)s <> 'price' OR NOT p.in_stock)
AND /* include: behind */

-- fragment: behind
-- The rows behind the cursor.
(
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

-- fragment: in_order
ORDER BY
    CASE WHEN %(sort)s = 'newest' AND %(descending)s THEN p.created_at END DESC,
    CASE WHEN %(sort)s = 'newest' AND NOT %(descending)s THEN p.created_at END,
    CASE WHEN %(sort)s = 'price' AND %(descending)s THEN p.price END DESC,
    CASE WHEN %(sort)s = 'price' AND NOT %(descending)s THEN p.price END,
    CASE WHEN %(sort)s = 'name' AND %(descending)s THEN p.name_key END DESC,
    CASE WHEN %(sort)s = 'name' AND NOT %(descending)s THEN p.name_key END,
    CASE WHEN %(descending)s THEN p.id END DESC,
    CASE WHEN NOT %(descending)s THEN p.id END

-- fragment: page
/* include: in_order */
LIMIT %(limit)s OFFSET %(offset)s

-- fragment: key
-- The sort key of the last product, for a cursor.
CASE
    WHEN %(sort)s = 'newest' THEN p.created_at::text
    WHEN %(sort)s = 'price' THEN p.price::text
    WHEN %(sort)s = 'name' THEN p.name_key
END AS key

-- fragment: listed
-- The products of `shown`, in its order.
SELECT
    card.document AS item, p.id,
    /* include: key */
FROM unnest(ARRAY(SELECT s.id FROM shown AS s)) WITH ORDINALITY AS page (id, place)
JOIN products AS p ON p.id = page.id
JOIN product_cards AS card ON card.product_id = page.id
ORDER BY page.place

-- name: list
-- budget: 900 buffers
-- Everything on sale, or one store's own with `show_hidden`; no category (list_category), no words
-- (search.find). `walked` reads along the index that has the order, at most `walk`
-- rows of it. Conditions that the index does not know are checked afterwards.
WITH walked AS (
    SELECT p.id, p.price, p.in_stock, p.store_id, p.created_at, p.name_key
    FROM products AS p
    WHERE (%(ids)s::bigint[] IS NULL OR p.id = ANY(%(ids)s))
        /* include: visible */
        AND (%(brand_id)s::bigint IS NULL OR p.brand_id = %(brand_id)s)
        AND /* own */ (%(brand_id)s::bigint IS NOT NULL OR %(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
        /* include: along_the_index */
    /* include: in_order */
    LIMIT %(walk)s
),

shown AS (
    SELECT p.id
    FROM walked AS p
    WHERE (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
        /* include: fitting */
    /* include: page */
)

/* include: listed */;

-- fragment: in_category
(
    SELECT pc.product_id AS id, pc.price, pc.in_stock, pc.created_at, pc.name_key
    FROM product_categories AS pc
    WHERE pc.category_id = %(category_id)s
) AS p

-- name: list_category
-- budget: 4300 buffers
-- A category with its subtree: product_categories has the order, products the other filters. As `list`.
WITH walked AS (
    SELECT p.id, p.price, p.in_stock, p.created_at, p.name_key
    FROM /* include: in_category */
    WHERE (%(ids)s::bigint[] IS NULL OR p.id = ANY(%(ids)s))
        /* include: along_the_index */
    /* include: in_order */
    LIMIT %(walk)s
),

shown AS (
    SELECT p.id
    FROM walked AS p
    LEFT JOIN products AS product ON product.id = p.id
    WHERE (%(store_id)s::bigint IS NULL OR product.store_id = %(store_id)s)
        AND (%(brand_id)s::bigint IS NULL OR product.brand_id = %(brand_id)s)
        /* include: fitting */
    /* include: page */
)

/* include: listed */;

-- name: list_narrow
-- budget: 6000 buffers
-- Products that several filters leave of the catalogue, sorted here: for filters that leave so little that
-- reading along an order finds nothing for long. The index of product_search knows two or more of category,
-- brand and store (`crossing`) together; else an index of the one and the price knows them. `complete`: these
-- are all, not just `most`. `matches` and `complete` are in every row; a page behind the end is one row without a
-- product. The first row has `facts`, if they are wanted: arrays as texts, for facets, of what `crossing`
-- filters leave at any stock, and if they are `of_all_prices` at any price.
WITH asked AS MATERIALIZED (
    SELECT
        concat_ws(
            ' & ',
            '#c' || %(category_id)s::bigint,
            '#b' || %(brand_id)s::bigint,
            '#s' || %(store_id)s::bigint,
            near.prices
        )::tsquery AS filters,
        near.prices
    FROM (
        SELECT '(' || string_agg('#p' || n.price, ' | ') || ')' AS prices
        FROM (
            SELECT
                search_price(coalesce(%(min_price)s::numeric, 0)) AS low,
                search_price(coalesce(%(max_price)s::numeric, 1e12)) AS high
        ) AS range
        CROSS JOIN LATERAL generate_series(range.low, range.high) AS n (price)
        WHERE range.high - range.low < 20
    ) AS near
),

known AS MATERIALIZED (
    SELECT s.product_id AS id
    FROM product_search AS s
    WHERE %(crossing)s::boolean AND s.words @@ (SELECT a.filters FROM asked AS a)
    LIMIT %(most)s
),

-- Where one index finds them, rows are read there: not once for the id, and again for the rest. The order is
-- that of the index.
read_at_once AS MATERIALIZED (
    (
        SELECT p.id, p.created_at, p.price, p.name_key, p.in_stock
        FROM /* include: in_category */
        WHERE NOT %(crossing)s::boolean
            /* include: fitting */
        ORDER BY p.price, p.id
        LIMIT %(most)s
    )
    UNION ALL
    (
        SELECT p.id, p.created_at, p.price, p.name_key, p.in_stock
        FROM products AS p
        WHERE NOT %(crossing)s::boolean
            AND %(category_id)s::bigint IS NULL
            /* include: visible */
            AND /* own */ (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
            AND (%(brand_id)s::bigint IS NULL OR p.brand_id = %(brand_id)s)
            /* include: fitting */
        ORDER BY p.price, p.id
        LIMIT %(most)s
    )
),

crossed AS MATERIALIZED (
    SELECT p.id, p.created_at, p.price, p.name_key, p.in_stock, p.category_id, p.brand_id
    FROM products AS p
    WHERE %(crossing)s::boolean
        AND p.id = ANY(ARRAY(SELECT k.id FROM known AS k)) -- sorted first: neighbours share a page
        /* include: visible */
),

narrow AS MATERIALIZED (
    SELECT r.id, r.created_at, r.price, r.name_key, r.in_stock
    FROM read_at_once AS r
    UNION ALL
    SELECT p.id, p.created_at, p.price, p.name_key, p.in_stock
    FROM crossed AS p
    WHERE true
        /* include: fitting */
)

SELECT
    card.document AS item, p.id,
    /* include: key */,
    n.matches,
    n.complete,
    n.of_all_prices,
    CASE WHEN coalesce(p.place, 1) = 1 THEN n.facts END AS facts
FROM (
    SELECT
        (SELECT count(*) FROM narrow AS m) AS matches,
        (SELECT count(*) FROM known AS k) + (SELECT count(*) FROM read_at_once AS r) < %(most)s AS complete,
        (SELECT a.prices IS NULL FROM asked AS a) AS of_all_prices,
        CASE
            WHEN %(crossing)s::boolean AND %(with_facts)s::boolean
                THEN ARRAY[
                    ARRAY(SELECT c.category_id FROM crossed AS c)::text,
                    ARRAY(SELECT c.brand_id FROM crossed AS c)::text,
                    ARRAY(SELECT c.price FROM crossed AS c)::text,
                    ARRAY(SELECT c.in_stock FROM crossed AS c)::text
                ]
        END AS facts
) AS n
LEFT JOIN (
    SELECT sorted.*, row_number() OVER () AS place
    FROM (
        SELECT p.id, p.created_at, p.price, p.name_key
        FROM narrow AS p
        WHERE /* include: behind */
        /* include: page */
    ) AS sorted
) AS p ON true
LEFT JOIN product_cards AS card ON card.product_id = p.id
ORDER BY p.place;

-- fragment: counting
SELECT count(*) AS matches
FROM (
    SELECT
    FROM products AS p
    WHERE (%(ids)s::bigint[] IS NULL OR p.id = ANY(%(ids)s))
        /* include: visible */
        AND /* own */ (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
        AND (%(brand_id)s::bigint IS NULL OR p.brand_id = %(brand_id)s)
        /* include: fitting */
    LIMIT %(most)s
) AS counted

-- fragment: counting_category
SELECT count(*) AS matches
FROM (
    SELECT
    FROM /* include: in_category */
    LEFT JOIN products AS product ON product.id = p.id
    WHERE (%(ids)s::bigint[] IS NULL OR p.id = ANY(%(ids)s))
        AND (%(store_id)s::bigint IS NULL OR product.store_id = %(store_id)s)
        AND (%(brand_id)s::bigint IS NULL OR product.brand_id = %(brand_id)s)
        /* include: fitting */
    LIMIT %(most)s
) AS counted

-- name: count
-- budget: 2600 buffers
-- Counts the rows of a list with one filter, up to `most`.
/* include: counting */;

-- name: count_category
-- budget: 30 buffers
/* include: counting_category */;

-- name: estimate
-- How many rows the planner expects below that count(*); `most` is NULL.
EXPLAIN (FORMAT JSON)
/* include: counting */;

-- name: estimate_category
EXPLAIN (FORMAT JSON)
/* include: counting_category */;

-- name: find
-- One product as the API returns it; hidden ones only with `show_hidden`, hidden variants to its store and admins.
-- `tag` changes when the response does. Document, details and description are not read for a client that has them
-- (`known`). Values come as subqueries, so that the plan is the same for all of them, and is kept.
SELECT
    t.tag,
    CASE WHEN t.tag <> ALL((SELECT %(known)s::text[])::text[]) THEN card.document END AS document,
    card.stock_tag,
    CASE
        WHEN t.tag <> ALL((SELECT %(known)s::text[])::text[]) THEN coalesce(to_json(p.description)::text, 'null')
    END AS description,
    CASE
        WHEN t.tag <> ALL((SELECT %(known)s::text[])::text[])
            THEN concat(more.details, CASE p.variant_count WHEN 0 THEN '[]' ELSE variants_of(p.id, t.own) END)
    END AS details,
    p.name, p.store_id, p.version
FROM products AS p
JOIN product_cards AS card ON card.product_id = p.id
JOIN product_details AS more ON more.product_id = p.id
CROSS JOIN LATERAL (
    SELECT
        o.own,
        concat(
            p.version, '.', card.stock_tag, '-', to_hex(card.digest), '-', more.sold, CASE WHEN o.own THEN '-own' END
        ) AS tag
    FROM (
        SELECT
            CASE
                WHEN p.variant_count = 0 THEN false
                ELSE coalesce(p.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin', false)
            END AS own
    ) AS o
    LIMIT 1 -- so that it is computed once
) AS t
WHERE p.id = %(product_id)s
    AND (
        NOT p.hidden
        OR ((SELECT %(show_hidden)s::boolean) AND (p.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin'))
    );

-- name: find_for_guest
-- budget: 140 buffers
-- One product as guests see it: `tag`, as find has it, and the whole JSON as one text, for a client that does not
-- have it. `known` are the tags of a client, with blanks between. What the views product_cards and product_details
-- say for many products is said here for one: a plan of half the nodes takes two thirds of the time.
SELECT
    t.tag,
    CASE
        WHEN t.tag = ANY(string_to_array((SELECT %(known)s::text), ' ')) THEN NULL
        ELSE concat(
            CASE
                WHEN o.closed_until IS NULL THEN d.document
                ELSE replace(d.document, '"closed_until":null}', concat(
                    '"closed_until":"', to_char(o.closed_until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '"}'
                ))
            END,
            CASE
                WHEN d.store_id IS NULL THEN ',"price_before":null,"price_max":null,"variant_count":0,"options":[]'
            END,
            ',"stock":', s.stock, CASE WHEN s.stock > 0 THEN ',"in_stock":true' ELSE ',"in_stock":false' END,
            ',"description":', coalesce(to_json(p.description)::text, 'null'),
            ',"sold":', coalesce(n.sold, 0),
            ',"condition":"', p.condition,
            '","min_quantity":', p.min_quantity,
            ',"max_per_buyer":', coalesce(p.max_per_buyer::text, 'null'),
            ',"preorder_days":', coalesce(p.preorder_days::text, 'null'),
            ',"weight_grams":', coalesce(p.weight_grams::text, 'null'),
            ',"length_cm":', coalesce(p.length_cm::text, 'null'),
            ',"width_cm":', coalesce(p.width_cm::text, 'null'),
            ',"height_cm":', coalesce(p.height_cm::text, 'null'),
            ',"blocked":', coalesce(to_json(p.blocked)::text, 'null'),
            ',"variants":',
            CASE p.variant_count WHEN 0 THEN '[]' ELSE variants_of(p.id, false) END,
            '}'
        )
    END AS body
FROM products AS p
JOIN product_documents AS d ON d.product_id = p.id
LEFT JOIN inventory AS i ON i.product_id = p.id AND i.variant_id = 0
LEFT JOIN product_counts AS n ON n.product_id = p.id
LEFT JOIN stores AS o ON o.id = d.store_id AND o.closed_until > now()
CROSS JOIN LATERAL (
    SELECT
        least(coalesce(i.quantity, sum(v.quantity) FILTER (WHERE v.on_sale), 0), 2147483647)::integer AS stock,
        coalesce(
            i.quantity::text,
            concat(sum(v.quantity), 'v', to_hex(bit_xor(hashint8(v.variant_id * 1000003 + v.quantity))))
        ) AS stock_tag
    FROM inventory AS v
    WHERE i.quantity IS NULL AND v.product_id = p.id
) AS s
CROSS JOIN LATERAL (
    SELECT concat(
        p.version, '.', s.stock_tag, '-',
        to_hex(CASE WHEN o.closed_until IS NULL THEN d.digest ELSE hashtextextended(o.closed_until::text, d.digest) END),
        '-', coalesce(n.sold, 0)
    ) AS tag
    LIMIT 1 -- so that it is computed once
) AS t
WHERE p.id = %(product_id)s AND NOT p.hidden;

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

-- name: lock_own_stock
-- Before find_own: the stock first and in the order of ids, as a sale locks it that then flips in_stock. Sent twice:
-- variants may have come while the first waited for those that were there.
SELECT i.variant_id
FROM inventory AS i
JOIN products AS p ON p.id = i.product_id
WHERE i.product_id = %(product_id)s
    AND /* own */ (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
    AND (p.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin')
ORDER BY i.product_id, i.variant_id
FOR UPDATE OF i;

-- name: find_own
-- The state that a change starts from. It is locked behind its stock, so that two changes of one product follow
-- each other and the second sees what the first wrote; other people's products are not found.
SELECT
    p.id, p.store_id, p.category_id, p.brand_id, p.name, p.description, p.price, p.price_before, p.sku, p.source_url,
    p.weight_grams, p.length_cm, p.width_cm, p.height_cm, p.min_quantity, p.max_per_buyer, p.preorder_days,
    p.condition, p.hidden, p.blocked, p.option_names, p.variant_count, p.version, i.stock, i.stock_tag
FROM products AS p
CROSS JOIN LATERAL (
    SELECT
        least(coalesce(sum(v.quantity) FILTER (WHERE v.on_sale), 0), 2147483647)::integer AS stock,
        -- As product_cards has it.
        concat(sum(v.quantity), CASE
            WHEN max(v.variant_id) > 0 THEN 'v' || to_hex(bit_xor(hashint8(v.variant_id * 1000003 + v.quantity)))
        END) AS stock_tag
    FROM inventory AS v
    WHERE v.product_id = p.id
) AS i
WHERE p.id = %(product_id)s
    AND /* own */ (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
    AND (p.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin')
FOR UPDATE OF p;

-- name: list_variants
-- All variants of a product that find_own has locked, hidden ones too, with their stock.
SELECT
    v.id, v.position, v.options, v.sku, v.barcode, v.price, v.price_before, v.weight_grams, v.image_id, v.hidden,
    i.quantity AS stock
FROM variants AS v
JOIN inventory AS i ON i.product_id = v.product_id AND i.variant_id = v.id
WHERE v.product_id = %(product_id)s
ORDER BY v.position, v.id;

-- name: write_variants
SELECT write_variants(%(product_id)s, %(names)s::text[], %(wanted)s::jsonb, %(hide_others)s) AS ids;

-- name: list_image_ids
SELECT i.id
FROM product_images AS i
WHERE i.product_id = %(product_id)s;

-- name: find_holder
-- Which product or variant has one of some SKUs, or a link, that another product was to have; hidden ones, too. The
-- store is that of the product that was to be changed, else the named one.
WITH store AS (
    SELECT coalesce(
        (SELECT c.store_id FROM products AS c WHERE c.id = %(product_id)s::bigint), %(store_id)s::bigint
    ) AS id
    WHERE coalesce(
        (SELECT c.store_id FROM products AS c WHERE c.id = %(product_id)s::bigint), %(store_id)s::bigint
    ) = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin'
)

SELECT p.id, NULL::bigint AS variant_id, p.sku, p.hidden
FROM store AS s
JOIN products AS p ON p.store_id = s.id
WHERE p.sku = ANY(%(skus)s::text[]) AND p.id IS DISTINCT FROM %(product_id)s::bigint
UNION ALL
SELECT p.id, NULL, p.sku, p.hidden
FROM store AS s
JOIN products AS p ON p.store_id = s.id
WHERE md5(p.source_url) = md5(%(source_url)s::text) AND p.id IS DISTINCT FROM %(product_id)s::bigint
UNION ALL
SELECT v.product_id, v.id, v.sku, p.hidden OR v.hidden
FROM store AS s
JOIN variants AS v ON v.store_id = s.id
JOIN products AS p ON p.id = v.product_id
WHERE v.sku = ANY(%(skus)s::text[]) AND v.product_id IS DISTINCT FROM %(product_id)s::bigint
LIMIT 1;

-- name: add
-- One with variants gets its rows of stock from write_variants.
WITH added AS (
    INSERT INTO products (
        store_id, category_id, brand_id, name, description, price, price_before, sku, source_url, weight_grams,
        length_cm, width_cm, height_cm, min_quantity, max_per_buyer, preorder_days, condition, hidden, in_stock
    )
    VALUES (
        %(store_id)s, %(category_id)s, %(brand_id)s, %(name)s, %(description)s, %(price)s, %(price_before)s, %(sku)s,
        %(source_url)s, %(weight_grams)s, %(length_cm)s, %(width_cm)s, %(height_cm)s, %(min_quantity)s,
        %(max_per_buyer)s, %(preorder_days)s, %(condition)s, %(hidden)s, coalesce(%(stock)s::integer > 0, false)
    )
    RETURNING id
),

stocked AS (
    INSERT INTO inventory (product_id, quantity)
    SELECT a.id, %(stock)s
    FROM added AS a
    WHERE %(stock)s::integer IS NOT NULL
)

SELECT a.id AS product_id
FROM added AS a;

-- name: change
UPDATE products
SET category_id = %(category_id)s,
    brand_id = %(brand_id)s,
    name = %(name)s,
    description = %(description)s,
    price = %(price)s,
    price_before = %(price_before)s,
    sku = %(sku)s,
    source_url = %(source_url)s,
    weight_grams = %(weight_grams)s,
    length_cm = %(length_cm)s,
    width_cm = %(width_cm)s,
    height_cm = %(height_cm)s,
    min_quantity = %(min_quantity)s,
    max_per_buyer = %(max_per_buyer)s,
    preorder_days = %(preorder_days)s,
    condition = %(condition)s,
    hidden = %(hidden)s,
    version = version + 1,
    updated_at = now()
WHERE id = %(product_id)s
    AND /* own */ (%(store_id)s::bigint IS NULL OR store_id = %(store_id)s);

-- name: block
-- For admins. Let go, it is as hidden as it was before; while its store is stopped, that still keeps it hidden.
WITH said AS (
    SELECT
        p.id,
        CASE WHEN %(blocked)s::text IS NULL AND s.state <> 'active' THEN 'store' ELSE %(blocked)s END AS blocked
    FROM products AS p
    JOIN stores AS s ON s.id = p.store_id
    WHERE p.id = %(product_id)s
)

UPDATE products AS p
SET blocked = b.blocked,
    hidden = b.blocked IS NOT NULL OR coalesce(p.hidden_before, p.hidden),
    hidden_before = CASE WHEN b.blocked IS NOT NULL THEN coalesce(p.hidden_before, p.hidden) END,
    version = p.version + 1,
    updated_at = now()
FROM said AS b
WHERE p.id = b.id
RETURNING p.blocked, p.hidden;

-- name: touch
-- The images of a product have changed: so has the product.
UPDATE products
SET version = version + 1, updated_at = now()
WHERE id = %(product_id)s
    AND /* own */ (%(store_id)s::bigint IS NULL OR store_id = %(store_id)s);

-- name: set_stock
-- Of a product without variants; it has been locked. Through the verb, as every stock that a seller sets.
SELECT s.outcome
FROM products AS p
CROSS JOIN LATERAL set_stock(
    of_store => p.store_id,
    numbers => '{0}',
    product_ids => ARRAY[p.id],
    variant_ids => '{0}',
    skus => '{NULL}',
    set_to => ARRAY[%(stock)s::integer],
    counted => '{NULL}',
    changes => '{NULL}',
    expected => '{NULL}'
) AS s
WHERE p.id = %(product_id)s;
