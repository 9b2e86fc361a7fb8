-- What happened to orders, payments and refunds, and whom it is told by mail. For the worker.

-- name: next
-- The next events of a reader, and its cursor behind them: what is made of them is committed with it, or neither. An
-- event without an order is told by the first order of its checkout. `first` is false where the same transaction has
-- already told the same of another order of the checkout: what is placed and paid at once is one mail.
SELECT
    e.id, e.type, e.actor, e.data, o.id AS order_id, o.cod, o.state, r.way,
    NOT EXISTS (
        SELECT FROM events AS f
        WHERE f.xid = e.xid AND f.id < e.id AND f.type = e.type AND f.checkout_id = e.checkout_id
    ) AS first
FROM next_events(%(reader)s, %(most)s) WITH ORDINALITY AS e
LEFT JOIN refunds AS r ON r.id = (e.data ->> 'refund')::bigint
LEFT JOIN payments AS p ON p.id = r.payment_id
LEFT JOIN orders AS o
    ON o.id = coalesce(
        e.order_id,
        (SELECT min(x.id) FROM orders AS x WHERE x.checkout_id = coalesce(e.checkout_id, p.checkout_id))
    )
ORDER BY e.ordinality;

-- name: order_facts
-- What a mail about an order says, as it is now: to whom, the order, its checkout with all orders, how to pay.
-- Pieces that were cancelled of an order that goes on are not in its lines. What a return is about has its own, and so
-- has the parcel of an event: one is sent, or arrives, with each, so the third such event is about the third parcel.
SELECT
    m.email, o.id, o.number, o.state, o.stage, o.cod, o.currency, o.total, o.paid, o.cancel_reason, o.open_request,
    o.cancel_by, o.ship_by, o.complete_at, asked.state AS return_state, asked.keep_goods, asked.deadline_at AS return_by, asked.lines AS return_lines,
    s.name AS store, c.number AS checkout_number, c.total AS checkout_total, c.method,
    c.state AS checkout_state, c.pay_by, every.orders, pay.payments, sent.parcel
FROM orders AS o
JOIN checkouts AS c ON c.id = o.checkout_id
JOIN stores AS s ON s.id = o.store_id
CROSS JOIN LATERAL order_mail(o.id, %(party)s) AS m
LEFT JOIN LATERAL (
    SELECT q.state, q.keep_goods, q.deadline_at, (
        SELECT json_agg(json_build_object(
            'name', n.name, 'options', n.options, 'quantity', y.quantity
        ) ORDER BY n.id)
        FROM order_request_lines AS y
        JOIN order_lines AS n ON n.order_id = y.order_id AND n.id = y.line_id
        WHERE y.order_id = q.order_id AND y.request_id = q.id
    ) AS lines
    FROM order_requests AS q
    WHERE q.order_id = o.id
    ORDER BY q.id DESC
    LIMIT 1
) AS asked ON true
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object(
        'id', x.id, 'store', t.name, 'number', x.number, 'total', x.total::text, 'lines', l.lines
    ) ORDER BY x.id) AS orders
    FROM orders AS x
    JOIN stores AS t ON t.id = x.store_id
    CROSS JOIN LATERAL (
        SELECT coalesce(json_agg(json_build_object(
            'name', n.name, 'options', n.options, 'quantity', k.pieces,
            'total', round_money(n.total * k.pieces / n.quantity, x.currency)::text
        ) ORDER BY n.id), '[]') AS lines
        FROM order_lines AS n
        CROSS JOIN LATERAL (
            SELECT n.quantity - CASE WHEN x.state = 'cancelled' THEN 0 ELSE n.cancelled END AS pieces
        ) AS k
        WHERE n.order_id = x.id AND k.pieces > 0
    ) AS l
    WHERE x.checkout_id = o.checkout_id
) AS every
CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(json_build_object(
        'amount', y.amount::text, 'instructions', y.instructions, 'store', t.name
    ) ORDER BY y.id), '[]') AS payments
    FROM payments AS y
    LEFT JOIN stores AS t ON t.id = y.store_id
    WHERE y.checkout_id = o.checkout_id AND y.state IN ('opening', 'open')
) AS pay
LEFT JOIN LATERAL (
    SELECT e.type
    FROM events AS e
    WHERE e.order_id = o.id AND e.created_at >= o.placed_at AND e.id = %(event_id)s::bigint
) AS event ON true
LEFT JOIN LATERAL (
    SELECT json_build_object(
        'courier', h.courier, 'service', h.service, 'tracking_number', h.tracking_number, 'lines', l.lines,
        'whole', l.pieces = o.units - o.units_cancelled
    ) AS parcel
    FROM (
        SELECT
            x.id, x.order_id, x.courier, x.service, x.tracking_number,
            row_number() OVER (
                ORDER BY CASE WHEN event.type = 'order.delivered' THEN x.delivered_at END, x.id
            ) AS place
        FROM shipments AS x
        WHERE x.order_id = o.id
    ) AS h
    CROSS JOIN LATERAL (
        SELECT sum(y.quantity) AS pieces, json_agg(json_build_object(
            'name', n.name, 'options', n.options, 'quantity', y.quantity
        ) ORDER BY n.id) AS lines
        FROM shipment_lines AS y
        JOIN order_lines AS n ON n.order_id = y.order_id AND n.id = y.line_id
        WHERE y.order_id = h.order_id AND y.shipment_id = h.id
    ) AS l
    WHERE h.place = (
        SELECT count(*)
        FROM events AS e
        WHERE e.order_id = o.id
            AND e.created_at >= o.placed_at
            AND e.type = event.type
            AND e.id <= %(event_id)s::bigint
    )
) AS sent ON true
WHERE o.id = %(order_id)s::bigint;

-- name: refund_facts
SELECT r.amount, r.currency, r.state, r.reason, r.way
FROM refunds AS r
WHERE r.id = %(refund_id)s::bigint;

-- name: payment_facts
SELECT p.id, p.amount, p.currency, p.method, p.state, p.problem, p.reversed, p.refusal
FROM payments AS p
WHERE p.id = %(payment_id)s::bigint;
