-- The lists of trade as they are asked, under the policies of who asks: what `tools.bench lists` measures.

-- name: seller_stage
-- Each column of the index is named, or the planner walks the list of all orders for a stage that is rare.
SELECT o.id, o.number, o.stage, o.total, o.placed_at
FROM orders AS o
WHERE o.store_id = 1 AND o.stage = 'completed'
ORDER BY o.store_id DESC, o.stage DESC, o.placed_at DESC, o.id DESC
LIMIT 21;

-- name: seller_stage_deep
SELECT o.id, o.number, o.stage, o.total, o.placed_at
FROM orders AS o
WHERE o.store_id = 1 AND o.stage = 'completed' AND (o.placed_at, o.id) < (%(placed_at)s::timestamptz, %(id)s::bigint)
ORDER BY o.store_id DESC, o.stage DESC, o.placed_at DESC, o.id DESC
LIMIT 21;

-- name: seller_two_stages
SELECT o.id, o.number, o.stage, o.total, o.placed_at
FROM unnest('{new,to_ship}'::text[]) AS s (stage)
CROSS JOIN LATERAL (
    SELECT x.id, x.number, x.stage, x.total, x.placed_at
    FROM orders AS x
    WHERE x.store_id = 1 AND x.stage = s.stage
    ORDER BY x.store_id DESC, x.stage DESC, x.placed_at DESC, x.id DESC
    LIMIT 21
) AS o
ORDER BY o.placed_at DESC, o.id DESC
LIMIT 21;

-- name: seller_newest
SELECT o.id, o.number, o.stage, o.total, o.placed_at
FROM orders AS o
WHERE o.store_id = 1
ORDER BY o.store_id DESC, o.placed_at DESC, o.id DESC
LIMIT 21;

-- name: seller_ship_by
SELECT o.id, o.number, o.ship_by
FROM orders AS o
WHERE o.store_id = 1 AND o.stage IN ('new', 'to_ship')
ORDER BY o.store_id, o.ship_by, o.id
LIMIT 21;

-- name: seller_requests
SELECT o.id, o.number, o.open_request
FROM orders AS o
WHERE o.store_id = 1 AND o.open_request IS NOT NULL
ORDER BY o.store_id DESC, o.placed_at DESC, o.id DESC
LIMIT 21;

-- name: seller_product
SELECT l.order_id, l.quantity
FROM order_lines AS l
WHERE l.store_id = 1 AND l.product_id = 7
ORDER BY l.store_id DESC, l.product_id DESC, l.order_id DESC
LIMIT 21;

-- name: seller_counts
SELECT s.stage, s.orders
FROM (
    SELECT 'unpaid' AS stage, (SELECT count(*) FROM (
        SELECT FROM orders AS x WHERE x.store_id = 1 AND x.stage = 'unpaid' LIMIT 1001
    ) AS y) AS orders
    UNION ALL
    SELECT 'new', (SELECT count(*) FROM (
        SELECT FROM orders AS x WHERE x.store_id = 1 AND x.stage = 'new' LIMIT 1001
    ) AS y)
    UNION ALL
    SELECT 'to_ship', (SELECT count(*) FROM (
        SELECT FROM orders AS x WHERE x.store_id = 1 AND x.stage = 'to_ship' LIMIT 1001
    ) AS y)
    UNION ALL
    SELECT 'shipping', (SELECT count(*) FROM (
        SELECT FROM orders AS x WHERE x.store_id = 1 AND x.stage = 'shipping' LIMIT 1001
    ) AS y)
    UNION ALL
    SELECT 'delivered', (SELECT count(*) FROM (
        SELECT FROM orders AS x WHERE x.store_id = 1 AND x.stage = 'delivered' LIMIT 1001
    ) AS y)
    UNION ALL
    SELECT 'completed', (SELECT count(*) FROM (
        SELECT FROM orders AS x WHERE x.store_id = 1 AND x.stage = 'completed' LIMIT 1001
    ) AS y)
    UNION ALL
    SELECT 'cancelled', (SELECT count(*) FROM (
        SELECT FROM orders AS x WHERE x.store_id = 1 AND x.stage = 'cancelled' LIMIT 1001
    ) AS y)
) AS s;

-- name: seller_returns
SELECT r.id, r.order_id, r.state
FROM order_requests AS r
WHERE r.store_id = 1
ORDER BY r.store_id DESC, r.created_at DESC, r.id DESC
LIMIT 21;

-- name: seller_refunds
SELECT r.id, r.order_id, r.amount
FROM refunds AS r
WHERE r.store_id = 1
ORDER BY r.store_id DESC, r.created_at DESC, r.id DESC
LIMIT 21;

-- name: buyer_stage
SELECT o.id, o.number, o.total
FROM orders AS o
WHERE o.buyer_id = (SELECT me()) AND o.stage = 'completed'
ORDER BY o.buyer_id DESC, o.stage DESC, o.placed_at DESC, o.id DESC
LIMIT 21;

-- name: buyer_newest
SELECT o.id, o.number, o.total
FROM orders AS o
WHERE o.buyer_id = (SELECT me())
ORDER BY o.buyer_id DESC, o.placed_at DESC, o.id DESC
LIMIT 21;

-- name: buyer_checkouts
SELECT c.id, c.number, c.total
FROM checkouts AS c
WHERE c.buyer_id = (SELECT me()) AND c.state = 'settled'
ORDER BY c.buyer_id DESC, c.state DESC, c.placed_at DESC, c.id DESC
LIMIT 21;

-- name: buyer_refunds
SELECT r.id, r.amount, r.state
FROM refunds AS r
WHERE r.buyer_id = (SELECT me())
ORDER BY r.buyer_id DESC, r.created_at DESC, r.id DESC
LIMIT 21;

-- name: admin_newest
SELECT o.id, o.number, o.total
FROM orders AS o
ORDER BY o.placed_at DESC, o.id DESC
LIMIT 21;

-- name: admin_number
SELECT o.id
FROM orders AS o
WHERE o.number = 'O4711';

-- name: admin_cod_overdue
SELECT o.id, o.deliver_by
FROM orders AS o
WHERE o.stage = 'shipping' AND o.cod AND o.deliver_by < now()
ORDER BY o.deliver_by
LIMIT 21;

-- name: admin_payments
SELECT p.id, p.amount
FROM payments AS p
WHERE p.state = 'open'
ORDER BY p.created_at, p.id
LIMIT 21;

-- name: admin_refunds
SELECT r.id, r.amount
FROM refunds AS r
ORDER BY r.created_at DESC, r.id DESC
LIMIT 21;

-- name: worker_ship_by
SELECT o.id
FROM orders AS o
WHERE o.stage IN ('new', 'to_ship') AND o.ship_by < now() + interval '1 hour'
ORDER BY o.ship_by
LIMIT 100;

-- name: worker_complete
SELECT o.id
FROM orders AS o
WHERE o.stage = 'delivered' AND o.complete_at < now() + interval '1 hour' AND o.open_request IS NULL
ORDER BY o.complete_at
LIMIT 100;

-- name: worker_unpaid
SELECT c.id
FROM checkouts AS c
WHERE c.state = 'unpaid' AND c.pay_by < now() + interval '2 days'
ORDER BY c.pay_by
LIMIT 100;

-- name: worker_events
SELECT e.id
FROM next_events('mail', 500) AS e;
