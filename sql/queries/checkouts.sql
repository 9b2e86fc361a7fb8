-- Checkouts: what a buyer places and pays at once. Written by the verbs of V0099 to V0101 alone.

-- name: deliveries
-- What the ways of stores cost for their parcels. The arrays go together.
SELECT o.store_id, o.id, o.name, o.pricing, o.cod, o.days_min, o.days_max, d.price, o.free_from
FROM unnest(%(store_ids)s::bigint[], %(grams)s::integer[], %(items)s::numeric[]) AS w (store_id, grams, items)
JOIN delivery_options AS o ON o.store_id = w.store_id AND o.active
CROSS JOIN LATERAL (
    SELECT delivery_price(o.store_id, o.id, %(country)s, %(area)s, w.grams, w.items) AS price
) AS d
WHERE d.price IS NOT NULL
ORDER BY o.store_id, o.position, d.price, o.id;

-- name: vouchers
-- Those on offer for these stores, and those whose code is known.
SELECT
    v.id, v.store_id, v.code, v.name, v.gives, v.value, v.max_discount, v.min_total, v.product_ids, v.category_ids,
    v.uses_left, v.mine_left
FROM vouchers_for(%(codes)s::text[], %(store_ids)s::bigint[]) AS v;

-- name: refused_parcels
-- Parcels paid on delivery that a buyer did not take, in 180 days.
SELECT count(*) AS parcels
FROM orders AS o
JOIN shipments AS s ON s.order_id = o.id
WHERE o.cod
    AND o.placed_at > now() - interval '240 days'
    AND s.outcome = 'refused'
    AND s.ended_at > now() - interval '180 days'
    AND /* own */ o.buyer_id = %(user_id)s;

-- name: place
SELECT p.checkout_id, p.number
FROM place_checkout(%(document)s::jsonb) AS p;

-- fragment: columns
c.id, c.number, c.state, c.method, c.channel, c.currency, c.total, c.units, c.placed_at, c.pay_by, c.version

-- fragment: order_columns
o.checkout_id, o.id AS order_id, o.number AS order_number, o.stage, o.total AS order_total, o.store_id,
s.name AS store_name, s.logo AS store_logo, s.city AS store_city, s.closed_until, f.name AS line_name, f.image_url,
f.quantity, n.lines - 1 AS more_lines

-- fragment: order_tables
JOIN stores AS s ON s.id = o.store_id
CROSS JOIN LATERAL (SELECT count(*)::integer AS lines FROM order_lines AS l WHERE l.order_id = o.id) AS n
CROSS JOIN LATERAL (
    SELECT l.name, l.image_url, l.quantity
    FROM order_lines AS l
    WHERE l.order_id = o.id
    ORDER BY l.id
    LIMIT 1
) AS f

-- name: find
-- A checkout with its orders, each with its store and its first line: a row an order.
SELECT
    c.buyer_id,
    /* include: columns */,
    /* include: order_columns */
FROM checkouts AS c
JOIN orders AS o ON o.checkout_id = c.id
/* include: order_tables */
WHERE c.id = %(checkout_id)s
    AND /* own */ (%(everything)s::boolean OR c.buyer_id = %(user_id)s)
ORDER BY o.id;

-- name: list
-- A buyer's, the newest first; all, or those of a state.
SELECT
    c.buyer_id,
    /* include: columns */
FROM checkouts AS c
WHERE (%(state)s::text IS NULL OR c.state = %(state)s)
    AND (c.placed_at, c.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
    AND /* own */ c.buyer_id = %(user_id)s
ORDER BY c.placed_at DESC, c.id DESC
LIMIT %(limit)s;

-- name: of_everybody
-- For admins: one state, or all: one scan each, merged, newest first. ORDER BY names every column of the index; the
-- other columns are read for a page alone.
SELECT
    c.buyer_id,
    /* include: columns */
FROM unnest(%(states)s::text[]) AS s (state)
CROSS JOIN LATERAL (
    SELECT
        c.buyer_id,
        /* include: columns */
    FROM checkouts AS c
    WHERE c.state = s.state
        AND (c.placed_at, c.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
    ORDER BY c.state DESC, c.placed_at DESC, c.id DESC
    LIMIT %(limit)s
) AS c
ORDER BY c.placed_at DESC, c.id DESC
LIMIT %(limit)s;

-- name: by_number
SELECT
    c.buyer_id,
    /* include: columns */
FROM checkouts AS c
WHERE c.number = %(number)s
    AND /* own */ (%(everything)s::boolean OR c.buyer_id = %(user_id)s);

-- name: orders
-- The orders of some checkouts, each with its store and its first line.
SELECT
    /* include: order_columns */
FROM orders AS o
/* include: order_tables */
WHERE o.checkout_id = ANY(%(checkout_ids)s)
ORDER BY o.checkout_id, o.id;

-- name: lock
-- Its version, until the end of the transaction.
SELECT lock_checkout(%(checkout_id)s) AS version;

-- name: cancel
SELECT cancel_checkout(%(checkout_id)s, %(reason)s) AS outcome;

-- name: change_payment
SELECT change_payment(%(checkout_id)s, %(method)s, %(channel)s, %(return_url)s, %(minutes)s) AS payment_id;

-- name: due
-- For the worker: what is unpaid and past its time, without what this run has had. What somebody looks at is never
-- due.
SELECT
    c.id,
    EXISTS(
        SELECT
        FROM payments AS p
        WHERE p.checkout_id = c.id
            AND p.state IN ('opening', 'open')
            AND p.method NOT IN ('transfer', 'store_transfer')
    ) AS waits_at_provider
FROM checkouts AS c
WHERE c.state = 'unpaid'
    AND c.pay_by < now()
    AND NOT EXISTS (SELECT FROM payments AS p WHERE p.checkout_id = c.id AND p.state = 'checking')
    AND c.id <> ALL(%(had)s::bigint[])
ORDER BY c.pay_by
LIMIT %(most)s;
