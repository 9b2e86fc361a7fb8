-- Carts: what a buyer means to buy. Everything about a line is read live, and what cannot be bought says why.

-- fragment: line
-- Everything about the wanted lines; `w` has what is wanted. `available` counts holds that have lapsed.
w.place, w.product_id, w.variant_id, w.quantity, p.store_id, coalesce(s.name, p.name) AS name,
coalesce(s.options, '{}') AS options, coalesce(p.option_names, '{}') AS option_names, coalesce(s.price, p.price) AS price,
s.price_before, coalesce(s.weight_grams, 0) AS weight_grams, coalesce(s.min_quantity, p.min_quantity) AS min_quantity,
s.max_per_buyer, s.category_id, c.path AS category_path, t.name AS store_name, t.logo AS store_logo,
t.city AS store_city, t.closed_until, t.owner_id AS store_owner, g.sizes AS image_sizes, g.placeholder,
a.available AS stock,
CASE
    WHEN p.id IS NULL OR (s.product_id IS NULL AND w.variant_id <> 0) THEN 'variant_gone'
    WHEN s.product_id IS NULL THEN 'variant_required'
    WHEN s.hidden THEN 'hidden'
    WHEN t.state <> 'active' OR t.closed_until > now() THEN 'store_closed'
    WHEN a.available = 0 THEN 'sold_out'
    WHEN a.available < w.quantity THEN 'not_enough_stock'
    WHEN w.quantity < s.min_quantity THEN 'min_quantity'
END AS problem

-- fragment: tables
LEFT JOIN products AS p ON p.id = w.product_id
LEFT JOIN sellables AS s ON s.product_id = w.product_id AND s.variant_id = w.variant_id
LEFT JOIN stores AS t ON t.id = p.store_id
LEFT JOIN categories AS c ON c.id = s.category_id
LEFT JOIN LATERAL (
    SELECT m.variants AS sizes, m.placeholder
    FROM product_images AS m
    WHERE m.product_id = w.product_id AND (m.id = s.image_id OR (s.image_id IS NULL AND m.is_main))
    LIMIT 1
) AS g ON true
LEFT JOIN inventory AS i ON i.product_id = w.product_id AND i.variant_id = w.variant_id
CROSS JOIN LATERAL (
    SELECT
        coalesce(i.quantity, 0)
        + CASE
            WHEN coalesce(i.quantity, 0) < w.quantity THEN lapsed_stock(w.product_id, w.variant_id)
            ELSE 0
        END AS available
) AS a

-- name: lines
-- What is in a cart, in the order in which it was put in.
SELECT
    /* include: line */
FROM (
    SELECT
        row_number() OVER (ORDER BY l.added_at, l.product_id, l.variant_id) AS place, l.product_id, l.variant_id, l.quantity
    FROM cart_lines AS l
    WHERE /* own */ l.user_id = %(user_id)s
) AS w
/* include: tables */
ORDER BY w.place;

-- name: wanted
-- What is in a cart, and nothing about it.
SELECT l.product_id, l.variant_id, l.quantity
FROM cart_lines AS l
WHERE /* own */ l.user_id = %(user_id)s
ORDER BY l.added_at, l.product_id, l.variant_id;

-- name: priced
-- Everything about wanted lines that a checkout is priced from. The arrays go together. The tax is of the country
-- that the parcel goes to; a store whose goods bear none has none.
SELECT
    /* include: line */,
    coalesce(s.preorder_days, 0) AS preorder_days, f.takes_transfer, r.rate AS tax_rate, r.included AS tax_included
FROM unnest(%(product_ids)s::bigint[], %(variant_ids)s::bigint[], %(quantities)s::integer[])
    WITH ORDINALITY AS w (product_id, variant_id, quantity, place)
/* include: tables */
LEFT JOIN LATERAL store_terms(p.store_id) AS f ON true
LEFT JOIN LATERAL tax_rate(s.category_id, %(country)s) AS r ON f.taxable
ORDER BY w.place;

-- name: bought
-- Pieces of products that a buyer has bought in 30 days, as place_checkout() counts them.
SELECT b.product_id, sum(b.quantity - b.cancelled)::integer AS pieces
FROM order_lines AS b
JOIN orders AS o ON o.id = b.order_id
WHERE b.product_id = ANY(%(product_ids)s)
    AND o.placed_at > now() - interval '30 days'
    AND o.state <> 'cancelled'
    AND /* own */ b.buyer_id = %(user_id)s
GROUP BY b.product_id;

-- name: version
SELECT c.version
FROM carts AS c
WHERE /* own */ c.user_id = %(user_id)s;

-- name: make
INSERT INTO carts (user_id, version)
VALUES (%(user_id)s, 0)
ON CONFLICT (user_id) DO NOTHING;

-- name: hold
-- The cart's row is its user's turn: changes of it, and checkouts, go one after the other.
SELECT c.version
FROM carts AS c
WHERE /* own */ c.user_id = %(user_id)s
FOR NO KEY UPDATE;

-- name: take_turn
-- Makes, locks and changes a cart in one: for a checkout, which takes lines out of it or is rolled back.
INSERT INTO carts AS c (user_id, version)
VALUES (%(user_id)s, 1)
ON CONFLICT (user_id) DO UPDATE
SET version = c.version + 1, updated_at = now();

-- name: touch
UPDATE carts
SET version = version + 1, updated_at = now()
WHERE /* own */ user_id = %(user_id)s;

-- name: strangers
-- Places of lines whose product does not exist.
SELECT w.place
FROM unnest(%(product_ids)s::bigint[]) WITH ORDINALITY AS w (product_id, place)
WHERE NOT EXISTS (SELECT FROM products AS p WHERE p.id = w.product_id)
ORDER BY w.place;

-- name: put
-- The arrays go together. Merged, a line has the larger quantity of the two. How many changed.
INSERT INTO cart_lines AS l (user_id, product_id, variant_id, quantity)
SELECT %(user_id)s, w.product_id, w.variant_id, w.quantity
FROM unnest(%(product_ids)s::bigint[], %(variant_ids)s::bigint[], %(quantities)s::integer[])
    WITH ORDINALITY AS w (product_id, variant_id, quantity, place)
ORDER BY w.place
ON CONFLICT (user_id, product_id, variant_id) DO UPDATE
SET quantity = excluded.quantity
WHERE l.quantity <> excluded.quantity AND (NOT %(merge)s OR excluded.quantity > l.quantity);

-- name: take_out
-- The arrays go together. How many went.
DELETE FROM cart_lines AS l
USING unnest(%(product_ids)s::bigint[], %(variant_ids)s::bigint[]) AS w (product_id, variant_id)
WHERE l.product_id = w.product_id AND l.variant_id = w.variant_id
    AND /* own */ l.user_id = %(user_id)s;

-- name: count
SELECT count(*) AS lines
FROM cart_lines AS l
WHERE /* own */ l.user_id = %(user_id)s;

-- name: clear
DELETE FROM cart_lines
WHERE /* own */ user_id = %(user_id)s;

-- name: sweep
-- For the worker: carts that nobody has touched for long, with their lines.
SELECT sweep_carts(%(days)s, %(most)s) AS swept;
