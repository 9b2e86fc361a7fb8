-- The order desk: the verbs of orders as calls use them. Who may is asked by the verbs, which answer NULL to everybody
-- else (migrations/V0099, V0102, V0111 to V0113, V0140).

-- name: lock
-- Its version, until the end of the transaction.
SELECT lock_order(%(order_id)s) AS told;

-- name: accept
-- Many at once; what became of each.
SELECT a.order_id AS id, a.outcome
FROM accept_orders(%(order_ids)s::bigint[]) AS a
ORDER BY a.order_id;

-- name: ship
-- All that is left without lines. The same number again is the same parcel.
SELECT
    ship_order(
        of_order => %(order_id)s,
        line_ids => %(line_ids)s::bigint[],
        pieces => %(pieces)s::integer[],
        by_courier => %(courier)s,
        its_service => %(service)s,
        tracking => %(tracking_number)s
    ) AS told;

-- name: confirm
SELECT confirm_received(%(order_id)s) AS told;

-- name: cancel
SELECT cancel_order(%(order_id)s, %(reason)s) AS told;

-- name: cancel_lines
SELECT cancel_lines(%(order_id)s, %(line_ids)s::bigint[], %(pieces)s::integer[], %(reason)s) AS told;

-- name: refuse_cancel
SELECT refuse_cancel(%(order_id)s) AS told;

-- name: deliver
SELECT deliver_shipment(%(order_id)s, %(shipment_id)s) AS told;

-- name: bring_back
SELECT return_shipment(%(order_id)s, %(shipment_id)s, %(outcome)s, %(sellable)s) AS told;

-- name: track
SELECT
    set_tracking(
        of_order => %(order_id)s,
        of_shipment => %(shipment_id)s,
        by_courier => %(courier)s,
        its_service => %(service)s,
        tracking => %(tracking_number)s
    ) AS told;

-- name: due
-- What is due, by partial indexes, at most so many of each, without what this run has had. The job takes them one by
-- one, each in a transaction of its own, through the verb of its kind. What is unpaid is another job's.
(
    SELECT 'accept' AS what, o.id, NULL::bigint AS shipment_id
    FROM orders AS o
    WHERE o.stage = 'new' AND o.accept_at IS NOT NULL AND o.accept_at < now() AND o.id <> ALL(%(had)s::bigint[])
    ORDER BY o.accept_at
    LIMIT %(most)s
)
UNION ALL
(
    SELECT 'not_shipped', o.id, NULL
    FROM orders AS o
    WHERE o.stage IN ('new', 'to_ship') AND o.ship_by < now() AND o.id <> ALL(%(had)s::bigint[])
    ORDER BY o.ship_by
    LIMIT %(most)s
)
UNION ALL
(
    SELECT 'cancel_asked', o.id, NULL
    FROM orders AS o
    WHERE o.open_request = 'cancel' AND o.cancel_by < now() AND o.id <> ALL(%(had)s::bigint[])
    ORDER BY o.cancel_by
    LIMIT %(most)s
)
UNION ALL
(
    SELECT 'assume_delivered', s.order_id, s.id
    FROM orders AS o
    JOIN shipments AS s ON s.order_id = o.id AND s.state = 'shipped'
    WHERE o.stage = 'shipping'
        AND o.deliver_by < now()
        AND o.id <> ALL(%(had)s::bigint[])
        AND NOT o.cod
        AND o.open_request IS NULL -- not what is said to be missing
        AND NOT EXISTS (SELECT FROM stores AS t WHERE t.id = o.store_id AND t.state = 'suspended')
    ORDER BY o.deliver_by
    LIMIT %(most)s
)
UNION ALL
(
    SELECT 'complete', o.id, NULL
    FROM orders AS o
    WHERE o.stage = 'delivered'
        AND o.complete_at < now()
        AND o.id <> ALL(%(had)s::bigint[])
        AND o.open_request IS NULL
        AND NOT EXISTS (SELECT FROM stores AS t WHERE t.id = o.store_id AND t.state = 'suspended')
    ORDER BY o.complete_at
    LIMIT %(most)s
);

-- name: assume_delivered
SELECT deliver_shipment(%(order_id)s, %(shipment_id)s, 'assumed') AS told;

-- name: complete
SELECT complete_order(%(order_id)s) AS told;

-- name: left
-- What of an order's lines has neither left nor been cancelled, and whether anything has left.
SELECT l.id, l.quantity - l.cancelled - l.shipped AS pieces, l.shipped > l.undelivered AS has_left
FROM order_lines AS l
WHERE l.order_id = %(order_id)s
ORDER BY l.id;
