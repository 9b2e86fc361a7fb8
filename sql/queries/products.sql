-- Products. The lists are static text with optional filters: sent unprepared, PostgreSQL folds the constants and
-- plans as if each had been written by hand.
--
-- sort: newest, price, name, stock, relevance; `descending` turns it, ids break ties in the same direction.

-- name: list
-- Everything on sale, or one store's own with `show_hidden`; no category (list_category) and no words (search.find).
-- The ids of the page come first, by an index alone; then what is shown of them. The outer joins inside fall away
-- where no filter and no order needs them (i.quantity >= 0 makes the join an inner one for the order by stock).
WITH found AS (
    SELECT p.id
    FROM products AS p
    LEFT JOIN inventory AS i ON i.product_id = p.id
    WHERE (%(show_hidden)s::boolean OR NOT p.hidden)
        AND (%(hidden)s::boolean IS NULL OR p.hidden = %(hidden)s)
        AND (%(ids)s::bigint[] IS NULL OR p.id = ANY(%(ids)s))
        AND (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
        AND (%(brand_id)s::bigint IS NULL OR p.brand_id = %(brand_id)s)
        AND (%(min_price)s::numeric IS NULL OR p.price >= %(min_price)s)
        AND (%(max_price)s::numeric IS NULL OR p.price <= %(max_price)s)
        AND (%(in_stock)s::boolean IS NULL OR p.in_stock = %(in_stock)s)
        AND (%(sort)s <> 'stock' OR i.quantity >= 0)
        AND (
            %(after_id)s::bigint IS NULL
            OR CASE
                WHEN %(sort)s = 'newest' AND %(descending)s THEN (p.created_at, p.id) < (%(after_time)s::timestamptz, %(after_id)s)
                WHEN %(sort)s = 'newest' THEN (p.created_at, p.id) > (%(after_time)s::timestamptz, %(after_id)s)
                WHEN %(sort)s = 'price' AND %(descending)s THEN (p.price, p.id) < (%(after_price)s::numeric, %(after_id)s)
                WHEN %(sort)s = 'price' THEN (p.price, p.id) > (%(after_price)s::numeric, %(after_id)s)
                WHEN %(sort)s = 'name' AND %(descending)s THEN (p.name_key, p.id) < (%(after_name)s::text COLLATE "C", %(after_id)s)
                WHEN %(sort)s = 'name' THEN (p.name_key, p.id) > (%(after_name)s::text COLLATE "C", %(after_id)s)
                WHEN %(descending)s THEN (i.quantity, i.product_id) < (%(after_stock)s::integer, %(after_id)s)
                ELSE (i.quantity, i.product_id) > (%(after_stock)s::integer, %(after_id)s)
            END
        )
    ORDER BY
        CASE WHEN %(sort)s = 'newest' AND %(descending)s THEN p.created_at END DESC,
        CASE WHEN %(sort)s = 'newest' AND NOT %(descending)s THEN p.created_at END,
        CASE WHEN %(sort)s = 'price' AND %(descending)s THEN p.price END DESC,
        CASE WHEN %(sort)s = 'price' AND NOT %(descending)s THEN p.price END,
        CASE WHEN %(sort)s = 'name' AND %(descending)s THEN p.name_key END DESC,
        CASE WHEN %(sort)s = 'name' AND NOT %(descending)s THEN p.name_key END,
        CASE WHEN %(sort)s = 'stock' AND %(descending)s THEN i.quantity END DESC,
        CASE WHEN %(sort)s = 'stock' AND NOT %(descending)s THEN i.quantity END,
        CASE WHEN %(sort)s = 'stock' AND %(descending)s THEN i.product_id END DESC,
        CASE WHEN %(sort)s = 'stock' AND NOT %(descending)s THEN i.product_id END,
        CASE WHEN %(descending)s THEN p.id END DESC,
        CASE WHEN NOT %(descending)s THEN p.id END
    LIMIT %(limit)s OFFSET %(offset)s
)

SELECT
    d.document, i.quantity, p.in_stock, p.id,
    CASE
        WHEN %(sort)s = 'newest' THEN p.created_at::text
        WHEN %(sort)s = 'price' THEN p.price::text
        WHEN %(sort)s = 'name' THEN p.name_key
        WHEN %(sort)s = 'stock' THEN i.quantity::text
    END AS key
FROM unnest(ARRAY(SELECT f.id FROM found AS f)) WITH ORDINALITY AS page (id, place)
JOIN products AS p ON p.id = page.id
JOIN product_documents AS d ON d.product_id = page.id
JOIN inventory AS i ON i.product_id = page.id
ORDER BY page.place;

-- name: count
-- What the list goes through, counted up to `limit`; EXPLAIN of it without one is the estimate past that.
SELECT count(*) AS matches
FROM (
    SELECT
    FROM products AS p
    WHERE (%(show_hidden)s::boolean OR NOT p.hidden)
        AND (%(hidden)s::boolean IS NULL OR p.hidden = %(hidden)s)
        AND (%(ids)s::bigint[] IS NULL OR p.id = ANY(%(ids)s))
        AND (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
        AND (%(brand_id)s::bigint IS NULL OR p.brand_id = %(brand_id)s)
        AND (%(min_price)s::numeric IS NULL OR p.price >= %(min_price)s)
        AND (%(max_price)s::numeric IS NULL OR p.price <= %(max_price)s)
        AND (%(in_stock)s::boolean IS NULL OR p.in_stock = %(in_stock)s)
    LIMIT %(limit)s
) AS counted;

-- name: list_category
-- A category with its subtree: product_categories has the order, products the other filters.
WITH found AS (
    SELECT pc.product_id
    FROM product_categories AS pc
    LEFT JOIN products AS p ON p.id = pc.product_id
    WHERE pc.category_id = %(category_id)s
        AND (%(ids)s::bigint[] IS NULL OR pc.product_id = ANY(%(ids)s))
        AND (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
        AND (%(brand_id)s::bigint IS NULL OR p.brand_id = %(brand_id)s)
        AND (%(min_price)s::numeric IS NULL OR pc.price >= %(min_price)s)
        AND (%(max_price)s::numeric IS NULL OR pc.price <= %(max_price)s)
        AND (%(in_stock)s::boolean IS NULL OR pc.in_stock = %(in_stock)s)
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
    LIMIT %(limit)s OFFSET %(offset)s
)

SELECT
    d.document, i.quantity, p.in_stock, p.id,
    CASE
        WHEN %(sort)s = 'newest' THEN p.created_at::text
        WHEN %(sort)s = 'price' THEN p.price::text
        WHEN %(sort)s = 'name' THEN p.name_key
    END AS key
FROM unnest(ARRAY(SELECT f.product_id FROM found AS f)) WITH ORDINALITY AS page (id, place)
JOIN products AS p ON p.id = page.id
JOIN product_documents AS d ON d.product_id = page.id
JOIN inventory AS i ON i.product_id = page.id
ORDER BY page.place;

-- name: count_category
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
    LIMIT %(limit)s
) AS counted;

-- name: find
-- One product as the API answers it; hidden ones only with `show_hidden`.
SELECT
    d.document, i.quantity AS stock, p.in_stock, coalesce(to_json(p.description)::text, 'null') AS description,
    p.name, p.store_id, p.version
FROM products AS p
JOIN product_documents AS d ON d.product_id = p.id
JOIN inventory AS i ON i.product_id = p.id
WHERE p.id = %(product_id)s
    AND (%(show_hidden)s::boolean OR NOT p.hidden);

-- name: find_own
-- What a change starts from. Locked with its stock, so that two changes of one product follow each other and the second
-- sees what the first wrote; somebody else's is not there. The stock first, as a sale locks it that then flips in_stock.
SELECT
    p.id, p.store_id, p.category_id, p.brand_id, p.name, p.description, p.price, p.sku, p.source_url, p.hidden,
    p.version, i.quantity AS stock
FROM products AS p
JOIN inventory AS i ON i.product_id = p.id
WHERE p.id = %(product_id)s
    AND (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
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
    AND (%(store_id)s::bigint IS NULL OR store_id = %(store_id)s);

-- name: touch
-- The pictures of a product have changed: so has the product.
UPDATE products
SET version = version + 1, updated_at = now()
WHERE id = %(product_id)s
    AND (%(store_id)s::bigint IS NULL OR store_id = %(store_id)s);

-- name: set_stock
UPDATE inventory
SET quantity = %(stock)s
WHERE product_id = %(product_id)s AND quantity <> %(stock)s;
