-- Orders: lists for buyers, stores and admins, cards, and the page. A list finds ids by one index and stops; what the
-- cards show comes by the ids of a page.

-- name: of_buyer
-- All of a buyer's, newest first. ORDER BY names every column of the index, here and below, constant ones too: else
-- the planner may walk orders_newest_idx through everybody's orders for somebody who has few.
-- version is asked for because no index has it: else all of a store's are read from the index of stages, and sorted.
SELECT x.id, x.placed_at, x.version
FROM orders AS x
WHERE /* own */ x.buyer_id = %(user_id)s::bigint
    AND (x.placed_at, x.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
ORDER BY x.buyer_id DESC, x.placed_at DESC, x.id DESC
LIMIT %(limit)s;

-- name: of_buyer_by_stage
-- One stage, or several: one scan each, merged.
SELECT o.id, o.placed_at
FROM unnest(%(stages)s::text[]) AS s (stage)
CROSS JOIN LATERAL (
    SELECT x.id, x.placed_at
    FROM orders AS x
    WHERE /* own */ x.buyer_id = %(user_id)s::bigint
        AND x.stage = s.stage
        AND (x.placed_at, x.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
    ORDER BY x.buyer_id DESC, x.stage DESC, x.placed_at DESC, x.id DESC
    LIMIT %(limit)s
) AS o
ORDER BY o.placed_at DESC, o.id DESC
LIMIT %(limit)s;

-- name: of_store
SELECT x.id, x.placed_at, x.version
FROM orders AS x
WHERE /* own */ x.store_id = %(store_id)s::bigint
    AND (x.placed_at, x.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
ORDER BY x.store_id DESC, x.placed_at DESC, x.id DESC
LIMIT %(limit)s;

-- name: of_store_by_stage
SELECT o.id, o.placed_at
FROM unnest(%(stages)s::text[]) AS s (stage)
CROSS JOIN LATERAL (
    SELECT x.id, x.placed_at
    FROM orders AS x
    WHERE /* own */ x.store_id = %(store_id)s::bigint
        AND x.stage = s.stage
        AND (x.placed_at, x.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
    ORDER BY x.store_id DESC, x.stage DESC, x.placed_at DESC, x.id DESC
    LIMIT %(limit)s
) AS o
ORDER BY o.placed_at DESC, o.id DESC
LIMIT %(limit)s;

-- name: to_ship
-- What a store has to send, the most urgent first; late alone: what is past its time.
SELECT x.id, x.ship_by
FROM orders AS x
WHERE /* own */ x.store_id = %(store_id)s::bigint
    AND x.stage IN ('new', 'to_ship')
    AND (x.ship_by, x.id) > (%(after_at)s::timestamptz, %(after_id)s::bigint)
    AND x.ship_by < CASE WHEN %(late)s::boolean THEN now() ELSE 'infinity'::timestamptz END
ORDER BY x.store_id, x.ship_by, x.id
LIMIT %(limit)s;

-- name: with_request
-- Orders of a store about which something of this kind is asked.
SELECT x.id, x.placed_at
FROM orders AS x
WHERE /* own */ x.store_id = %(store_id)s::bigint
    AND x.open_request IS NOT NULL
    AND x.open_request = %(open_request)s::text
    AND (x.placed_at, x.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
ORDER BY x.store_id DESC, x.open_request DESC, x.placed_at DESC, x.id DESC
LIMIT %(limit)s;

-- name: with_product
-- Orders of a store with a product of it, each once.
SELECT DISTINCT l.store_id, l.product_id, l.order_id AS id
FROM order_lines AS l
WHERE /* own */ l.store_id = %(store_id)s::bigint
    AND l.product_id = %(product_id)s::bigint
    AND l.order_id < %(before_id)s::bigint
ORDER BY l.store_id DESC, l.product_id DESC, l.order_id DESC
LIMIT %(limit)s;

-- name: by_number
SELECT o.id, o.placed_at
FROM orders AS o
WHERE o.number = %(number)s
    AND /* own */ (%(everything)s::boolean OR o.buyer_id = %(user_id)s::bigint OR o.store_id = %(store_id)s::bigint);

-- name: newest
-- For admins: everybody's.
SELECT x.id, x.placed_at
FROM orders AS x
WHERE (x.placed_at, x.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
ORDER BY x.placed_at DESC, x.id DESC
LIMIT %(limit)s;

-- name: cod_overdue
-- For admins: parcels that are paid on delivery and should have arrived, the oldest first.
SELECT x.id, x.deliver_by
FROM orders AS x
WHERE x.stage = 'shipping'
    AND x.cod
    AND x.deliver_by < now()
    AND (x.deliver_by, x.id) > (%(after_at)s::timestamptz, %(after_id)s::bigint)
ORDER BY x.deliver_by, x.id
LIMIT %(limit)s;

-- name: count_of_buyer
-- How many of a buyer's are in each stage, counted up to a limit. The inner ORDER BY holds the planner to the index of
-- stages; without it, and the stage a parameter, it reads the whole table for a rare one.
SELECT s.stage, n.orders
FROM unnest(%(stages)s::text[]) AS s (stage)
CROSS JOIN LATERAL (
    SELECT count(*) AS orders
    FROM (
        SELECT
        FROM orders AS x
        WHERE /* own */ x.buyer_id = %(user_id)s::bigint
            AND x.stage = s.stage
        ORDER BY x.buyer_id DESC, x.stage DESC, x.placed_at DESC, x.id DESC
        LIMIT %(limit)s
    ) AS y
) AS n;

-- name: count_of_store
SELECT s.stage, n.orders
FROM unnest(%(stages)s::text[]) AS s (stage)
CROSS JOIN LATERAL (
    SELECT count(*) AS orders
    FROM (
        SELECT
        FROM orders AS x
        WHERE /* own */ x.store_id = %(store_id)s::bigint
            AND x.stage = s.stage
        ORDER BY x.store_id DESC, x.stage DESC, x.placed_at DESC, x.id DESC
        LIMIT %(limit)s
    ) AS y
) AS n;

-- name: cards
-- What lists show of these orders. A buyer's name is for stores and admins, a letter of it.
SELECT
    o.id, o.number, o.checkout_id, o.stage, o.state, o.store_id, o.buyer_id, o.units, o.units_cancelled, o.units_shipped,
    o.units_delivered, o.units_undelivered, o.units_returned, o.total, o.paid, o.refund_total, o.currency, o.cod,
    o.cod_collector, o.open_request, o.cancel_by, o.ship_by, o.deliver_by, o.complete_at, o.completed_at, c.pay_by,
    o.placed_at, o.version, (o.delivery ->> 'days_max')::integer AS days_max,
    q.state AS return_state, q.keep_goods, q.deadline_at AS return_by, r.returns_end,
    f.product_id, f.variant_id, f.name, f.option_names, f.options, f.image_url, f.placeholder, f.quantity, f.price,
    f.total AS line_total, n.lines - 1 AS more_lines,
    t.courier, t.tracking_number, t.shipped_at, b.name AS buyer_name,
    s.name AS store_name, s.logo AS store_logo, s.city AS store_city, s.closed_until
FROM orders AS o
JOIN stores AS s ON s.id = o.store_id
CROSS JOIN LATERAL (
    SELECT count(*) AS lines
    FROM order_lines AS l
    WHERE l.order_id = o.id
) AS n
CROSS JOIN LATERAL (
    SELECT
        l.product_id, l.variant_id, l.name, l.option_names, l.options, l.image_url, l.placeholder, l.quantity, l.price,
        l.total
    FROM order_lines AS l
    WHERE l.order_id = o.id
    ORDER BY l.id
    LIMIT 1
) AS f
LEFT JOIN LATERAL (
    SELECT h.courier, h.tracking_number, h.shipped_at
    FROM shipments AS h
    WHERE h.order_id = o.id
    ORDER BY h.id DESC
    LIMIT 1
) AS t ON true
LEFT JOIN order_requests AS q
    ON q.order_id = o.id
    AND o.open_request = 'return'
    AND q.state IN ('open', 'approved', 'sent_back')
    AND NOT q.disputed
-- Three returns that came to nothing are enough, and of a line that was rejected none is asked for again.
LEFT JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE e.state = 'withdrawn') >= 3
        OR NOT EXISTS (
            SELECT
            FROM order_lines AS l
            WHERE l.order_id = o.id
                AND l.quantity > l.cancelled + l.undelivered + l.returned
                AND l.id <> ALL(ARRAY(
                    SELECT x.line_id
                    FROM order_requests AS e
                    JOIN order_request_lines AS x ON x.order_id = e.order_id AND x.request_id = e.id
                    WHERE e.order_id = o.id AND e.state = 'rejected'
                ))
        ) AS returns_end
    FROM order_requests AS e
    WHERE e.order_id = o.id
    HAVING count(*) > 0
) AS r ON o.units_shipped > 0
LEFT JOIN checkouts AS c ON c.id = o.checkout_id
LEFT JOIN order_buyers(%(ids)s::bigint[]) AS b ON b.order_id = o.id
WHERE o.id = ANY(%(ids)s::bigint[])
    AND /* own */ (%(everything)s::boolean OR o.buyer_id = %(user_id)s::bigint OR o.store_id = %(store_id)s::bigint);

-- name: find
-- What a page has beside its card. delivery_address says of the address what the caller may know. The payment is the
-- one that paid it, or the newest try; a store reads only those to its own account.
SELECT
    o.note, o.payment_status, o.fulfilment_status, o.cancel_reason, o.cancelled_by, o.items_total, o.discount_total,
    o.subsidy_total, o.delivery_total, o.tax_total, o.tax_included, o.cancelled_total, o.paid, o.refunded,
    o.delivery ->> 'name' AS delivery_name, o.completed_at,
    a.address, a.masked, c.method, p.id AS payment_id, p.method AS payment_method, p.state AS payment_state,
    f.commission, f.commission_tax
FROM orders AS o
CROSS JOIN LATERAL delivery_address(o.id) AS a
CROSS JOIN LATERAL (
    SELECT sum(l.commission) AS commission, sum(l.commission_tax) AS commission_tax
    FROM order_lines AS l
    WHERE l.order_id = o.id
) AS f
LEFT JOIN checkouts AS c ON c.id = o.checkout_id
LEFT JOIN LATERAL (
    SELECT y.id, y.method, y.state
    FROM payments AS y
    WHERE y.checkout_id = o.checkout_id AND (y.order_id IS NULL OR y.order_id = o.id)
    ORDER BY y.id = o.payment_id DESC NULLS LAST, y.id DESC
    LIMIT 1
) AS p ON true
WHERE o.id = %(order_id)s
    AND /* own */ (%(everything)s::boolean OR o.buyer_id = %(user_id)s::bigint OR o.store_id = %(store_id)s::bigint);

-- name: lines
-- Lines of an order, with how many of each can be bought now.
SELECT
    l.id, l.product_id, l.variant_id, l.name, l.option_names, l.options, l.sku, l.image_url, l.placeholder,
    l.quantity, l.price, l.total, l.weight_grams, l.discount, l.subsidy, l.tax, l.cancelled, l.shipped, l.delivered,
    l.undelivered, l.returned, coalesce(p.min_quantity, 1) AS min_quantity, coalesce(i.quantity, 0) AS stock
FROM order_lines AS l
LEFT JOIN products AS p ON p.id = l.product_id
LEFT JOIN inventory AS i ON i.product_id = l.product_id AND i.variant_id = l.variant_id
WHERE l.order_id = %(order_id)s
    AND /* own */ (%(everything)s::boolean OR l.buyer_id = %(user_id)s::bigint OR l.store_id = %(store_id)s::bigint)
ORDER BY l.id;

-- name: parcels
SELECT
    s.id, s.courier, s.service, s.tracking_number, s.tracking_url, s.state, s.outcome, s.shipped_at, s.delivered_at,
    s.ended_at, s.checkpoints, s.version,
    ARRAY(
        SELECT json_build_object('line_id', p.line_id, 'quantity', p.quantity)
        FROM shipment_lines AS p
        WHERE p.order_id = s.order_id AND p.shipment_id = s.id
        ORDER BY p.line_id
    ) AS lines
FROM shipments AS s
WHERE s.order_id = %(order_id)s
    AND /* own */ (%(everything)s::boolean OR s.buyer_id = %(user_id)s::bigint OR s.store_id = %(store_id)s::bigint)
ORDER BY s.id;

-- name: events
-- What happened to an order, in order. Older months than its own are not read.
SELECT e.created_at, e.id, e.type, e.actor, e.data
FROM events AS e
WHERE e.order_id = %(order_id)s
    AND e.created_at >= %(placed_at)s
    AND /* own */ (%(everything)s::boolean OR e.buyer_id = %(user_id)s::bigint OR e.store_id = %(store_id)s::bigint)
ORDER BY e.created_at, e.id;
