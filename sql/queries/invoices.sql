-- Invoices and credit notes: what is due, what one is made of, and its number: for the worker. What calls read of
-- them, and slips, is at the end.

-- name: due
-- The oldest first, without the orders that this run has had.
SELECT d.order_id AS id, d.refund_id
FROM invoices_due AS d
WHERE d.order_id <> ALL(%(had)s::bigint[])
ORDER BY d.due_at, d.order_id, d.refund_id
LIMIT %(most)s;

-- name: take
-- One of them, for this transaction: another worker waits here and finds nothing. No credit note goes before its
-- invoice.
DELETE FROM invoices_due AS d
WHERE d.order_id = %(order_id)s
    AND d.refund_id = %(refund_id)s
    AND (d.refund_id = 0 OR EXISTS (SELECT FROM invoices AS i WHERE i.order_id = d.order_id AND i.kind = 'invoice'))
RETURNING d.order_id, d.refund_id, d.due_at,
    extract(YEAR FROM d.due_at AT TIME ZONE %(zone)s::text)::integer AS year,
    (d.due_at AT TIME ZONE %(zone)s::text)::date AS day;

-- name: facts
-- What an invoice is made of: what stayed of an order when it was completed. Pieces that went before, with a refund or
-- without one, are not in it, and what else was given back by then is a sum.
SELECT
    o.id, o.number, o.store_id, o.buyer_id, o.placed_at, o.currency, o.tax_included, o.delivery_total, o.paid, c.method,
    s.name AS store_name, s.city AS store_city, c.address ->> 'recipient' AS buyer_name, c.address ->> 'city' AS buyer_city,
    (
        SELECT coalesce(sum(r.amount), 0)
        FROM refunds AS r
        WHERE r.order_id = o.id AND r.created_at <= o.completed_at
    ) AS refunded,
    l.lines
FROM orders AS o
JOIN checkouts AS c ON c.id = o.checkout_id
JOIN stores AS s ON s.id = o.store_id
CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(json_build_object(
        'name', x.name, 'option_names', x.option_names, 'options', x.options, 'sku', x.sku,
        'quantity', x.quantity - g.gone, 'price', x.price::text,
        'discount', (x.discount - round_money(x.discount * g.gone / x.quantity, o.currency))::text,
        'subsidy', (x.subsidy - round_money(x.subsidy * g.gone / x.quantity, o.currency))::text,
        'tax', (x.tax - round_money(x.tax * g.gone / x.quantity, o.currency))::text
    ) ORDER BY x.id), '[]') AS lines
    FROM order_lines AS x
    CROSS JOIN LATERAL (
        SELECT x.forgone + coalesce(sum(y.quantity), 0)::integer AS gone
        FROM refund_lines AS y
        JOIN refunds AS r ON r.id = y.refund_id
        WHERE y.order_id = x.order_id AND y.line_id = x.id AND r.created_at <= o.completed_at
    ) AS g
    WHERE x.order_id = o.id AND x.quantity > g.gone
) AS l
WHERE o.id = %(order_id)s;

-- name: refund_facts
-- What a credit note is made of, beside its invoice. The tax in it is counted on from the pieces that went before.
SELECT r.amount, r.reason, i.document, l.lines
FROM refunds AS r
JOIN orders AS o ON o.id = r.order_id
JOIN invoices AS i ON i.order_id = r.order_id AND i.kind = 'invoice'
CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(json_build_object(
        'name', x.name, 'option_names', x.option_names, 'options', x.options, 'sku', x.sku, 'quantity', y.quantity,
        'amount', y.amount::text,
        'tax', (
            round_money(x.tax * (b.gone + y.quantity) / x.quantity, o.currency)
            - round_money(x.tax * b.gone / x.quantity, o.currency)
        )::text
    ) ORDER BY x.id), '[]') AS lines
    FROM refund_lines AS y
    JOIN order_lines AS x ON x.order_id = y.order_id AND x.id = y.line_id
    CROSS JOIN LATERAL (
        SELECT x.forgone + coalesce(sum(z.quantity), 0)::integer AS gone
        FROM refund_lines AS z
        WHERE z.order_id = y.order_id AND z.line_id = y.line_id AND z.refund_id < y.refund_id
    ) AS b
    WHERE y.refund_id = r.id
) AS l
WHERE r.id = %(refund_id)s;

-- name: count
-- The next number, which whoever comes next waits for: a transaction that ends otherwise gives it back.
INSERT INTO invoice_counters AS n (store_id, year, kind, last)
VALUES (%(store_id)s, %(year)s, %(kind)s, 1)
ON CONFLICT (store_id, year, kind) DO UPDATE
    SET last = n.last + 1
RETURNING n.last;

-- name: add
INSERT INTO invoices (store_id, year, kind, number, buyer_id, order_id, refund_id, document)
VALUES (
    %(store_id)s, %(year)s, %(kind)s, %(number)s, %(buyer_id)s, %(order_id)s, nullif(%(refund_id)s::bigint, 0),
    %(document)s
);

-- name: of_order
-- The invoice of an order and its credit notes, in the order in which they were issued.
SELECT i.kind, i.document
FROM invoices AS i
WHERE i.order_id = %(order_id)s
    AND /* own */ (%(everything)s::boolean OR i.buyer_id = %(user_id)s::bigint OR i.store_id = %(store_id)s::bigint)
ORDER BY i.kind DESC, i.issued_at, i.number;

-- name: slips
-- What is packed of these orders of a store: what is still to be sent, or all that was sent where nothing is. Only
-- while the store may read where it goes.
SELECT
    o.id, o.number, o.store_id, o.placed_at, o.stage, o.cod, o.note, o.delivery ->> 'name' AS delivery, a.address,
    s.name AS store_name, s.city AS store_city, l.lines
FROM orders AS o
JOIN stores AS s ON s.id = o.store_id
CROSS JOIN LATERAL delivery_address(o.id) AS a
CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(json_build_object(
        'name', x.name, 'option_names', x.option_names, 'options', x.options, 'sku', x.sku, 'quantity', n.pieces
    ) ORDER BY x.id), '[]') AS lines
    FROM order_lines AS x
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN o.units_shipped + o.units_cancelled < o.units THEN x.quantity - x.cancelled - x.shipped
            ELSE x.shipped
        END AS pieces
    ) AS n
    WHERE x.order_id = o.id AND n.pieces > 0
) AS l
WHERE o.id = ANY(%(ids)s::bigint[])
    AND /* own */ (%(everything)s::boolean OR o.store_id = %(store_id)s::bigint)
    AND o.stage IN ('new', 'to_ship', 'shipping', 'delivered', 'completed')
    AND NOT a.masked;
