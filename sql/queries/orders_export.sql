-- A store's orders as a file, a row a line, a batch of orders at a time.

-- name: rows
-- The next orders of a store, the oldest first, with all their lines and the parcels that each line is in.
SELECT
    o.id, o.number, o.placed_at, o.stage, o.payment_status, o.fulfilment_status, o.delivery_total, o.total, o.refunded,
    l.id AS line_id, l.sku, l.name, l.option_names, l.options, l.quantity, l.cancelled, l.returned, l.price, l.discount,
    l.subsidy, l.tax, l.total AS line_total, s.couriers, s.tracking_numbers
FROM (
    SELECT x.id, x.placed_at, x.version
    FROM orders AS x
    WHERE /* own */ x.store_id = %(store_id)s::bigint
        AND (x.placed_at, x.id) > (%(after_at)s::timestamptz, %(after_id)s::bigint)
        AND x.placed_at <= %(until)s::timestamptz
    ORDER BY x.store_id, x.placed_at, x.id
    LIMIT %(limit)s
) AS page
JOIN orders AS o ON o.id = page.id
JOIN order_lines AS l ON l.order_id = o.id
CROSS JOIN LATERAL (
    SELECT
        string_agg(DISTINCT h.courier, ', ') AS couriers,
        string_agg(h.tracking_number, ', ' ORDER BY h.id) AS tracking_numbers
    FROM shipment_lines AS p
    JOIN shipments AS h ON h.order_id = p.order_id AND h.id = p.shipment_id
    WHERE p.order_id = l.order_id AND p.line_id = l.id
) AS s
ORDER BY o.placed_at, o.id, l.id;
