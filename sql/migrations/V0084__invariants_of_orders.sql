-- What must always be so of orders: views as in V0047, each row a fault. Those of money follow in V0085.

CREATE VIEW invariants.sees_everything (id, detail) AS
SELECT c.oid::bigint, c.relname::text
FROM pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace
    AND c.relkind IN ('r', 'p')
    AND c.relrowsecurity
    AND row_security_active(c.oid)
UNION ALL
SELECT c.oid::bigint, c.relname::text
FROM pg_class AS c
WHERE c.relnamespace = 'invariants'::regnamespace
    AND (
        c.relowner <> (SELECT o.relowner FROM pg_class AS o WHERE o.oid = 'orders'::regclass)
        OR c.reloptions::text LIKE '%security_invoker%'
    );
COMMENT ON VIEW invariants.sees_everything IS
'No row-level security stands between the proof and a table, and every view of it is of the tables'' owner; table or '
'view. An invariant that sees less than all is broken itself.';

CREATE VIEW invariants.live_orders_hold_their_stock (id, detail) AS
SELECT wanted.order_id, wanted.product_id::text
FROM (
    SELECT l.order_id, l.product_id, l.variant_id, sum(l.quantity - l.cancelled - l.shipped) AS pieces
    FROM orders AS o
    JOIN order_lines AS l ON l.order_id = o.id
    WHERE o.stage IN ('new', 'to_ship')
    GROUP BY l.order_id, l.product_id, l.variant_id
) AS wanted
LEFT JOIN holds AS h
    ON h.order_id = wanted.order_id AND h.product_id = wanted.product_id AND h.variant_id = wanted.variant_id
WHERE wanted.pieces > 0
    AND (h.quantity IS DISTINCT FROM wanted.pieces::integer OR h.expires_at IS NOT NULL);
COMMENT ON VIEW invariants.live_orders_hold_their_stock IS
'What is to be sent is held, firmly, to the piece; order, product.';

CREATE VIEW invariants.holds_are_wanted (id, detail) AS
SELECT h.order_id, h.product_id::text
FROM holds AS h
LEFT JOIN orders AS o ON o.id = h.order_id
LEFT JOIN LATERAL (
    SELECT sum(l.quantity - l.cancelled - l.shipped) AS pieces
    FROM order_lines AS l
    WHERE l.order_id = h.order_id AND l.product_id = h.product_id AND l.variant_id = h.variant_id
) AS wanted ON true
WHERE coalesce(o.stage NOT IN ('unpaid', 'new', 'to_ship'), true)
    OR h.quantity IS DISTINCT FROM wanted.pieces::integer
    OR (o.stage = 'unpaid') <> (h.expires_at IS NOT NULL);
COMMENT ON VIEW invariants.holds_are_wanted IS
'No hold is without an order that still needs it; what is unpaid is held until a time; order, product.';

CREATE VIEW invariants.checkout_is_its_orders (id) AS
SELECT c.id
FROM checkouts AS c
LEFT JOIN orders AS o ON o.checkout_id = c.id
GROUP BY c.id
HAVING bool_or(o.cod <> (c.method = 'cod') OR o.currency <> c.currency)
    OR c.total <> coalesce(sum(o.total), 0)
    OR c.units <> coalesce(sum(o.units), 0)
    OR count(DISTINCT o.buyer_id) <> 1
    OR min(o.buyer_id) <> c.buyer_id
    OR c.state <> CASE
        WHEN bool_or(o.state <> 'cancelled' AND NOT o.settled) THEN 'unpaid'
        WHEN bool_or(o.state <> 'cancelled') THEN 'settled'
        ELSE 'cancelled'
    END;
COMMENT ON VIEW invariants.checkout_is_its_orders IS
'Total, pieces, buyer, currency and state of a checkout are those of its orders; cash on delivery is its method.';

CREATE VIEW invariants.order_is_its_lines (id) AS
SELECT o.id
FROM orders AS o
LEFT JOIN order_lines AS l ON l.order_id = o.id
GROUP BY o.id
HAVING o.items_total <> coalesce(sum(l.price * l.quantity), 0)
    OR o.discount_total <> sum(l.discount)
    OR o.subsidy_total < sum(l.subsidy)
    OR o.tax_total <> sum(l.tax)
    OR (
        o.units, o.units_cancelled, o.units_shipped, o.units_delivered, o.units_undelivered, o.units_returned
    ) IS DISTINCT FROM (
        sum(l.quantity)::integer, sum(l.cancelled)::integer, sum(l.shipped)::integer, sum(l.delivered)::integer,
        sum(l.undelivered)::integer, sum(l.returned)::integer
    )
    OR (
        o.state <> 'cancelled'
        AND o.cancelled_total <> least(
            o.total,
            sum(
                round_money(
                    (l.total + CASE WHEN o.tax_included THEN 0 ELSE l.tax END)
                    * (l.cancelled + l.undelivered) / l.quantity,
                    o.currency
                )
            )
        )
    )
    OR (
        o.state = 'cancelled'
        AND (
            o.cancelled_total <> o.total
            OR o.units_cancelled + o.units_shipped <> o.units
            OR o.units_shipped <> o.units_undelivered
        )
    );
COMMENT ON VIEW invariants.order_is_its_lines IS
'Amounts and pieces of an order are those of its lines, what is cancelled of the total too; a cancelled one is cancelled '
'whole. (Its subsidy may be more than theirs: a platform''s free delivery is part of it.)';

CREATE VIEW invariants.shipped_is_in_shipments (id, detail) AS
SELECT l.order_id, l.id::text
FROM order_lines AS l
LEFT JOIN shipment_lines AS s ON s.order_id = l.order_id AND s.line_id = l.id
LEFT JOIN shipments AS h ON h.order_id = s.order_id AND h.id = s.shipment_id
GROUP BY l.order_id, l.id
HAVING l.shipped <> coalesce(sum(s.quantity), 0)
    OR l.delivered <> coalesce(sum(s.quantity) FILTER (WHERE h.state = 'delivered'), 0)
    OR l.undelivered <> coalesce(sum(s.quantity) FILTER (WHERE h.state IN ('returned', 'lost')), 0)
UNION ALL
SELECT h.order_id, 'empty parcel'
FROM shipments AS h
LEFT JOIN shipment_lines AS s ON s.order_id = h.order_id AND s.shipment_id = h.id
WHERE s.line_id IS NULL;
COMMENT ON VIEW invariants.shipped_is_in_shipments IS
'What of a line is shipped, delivered or undelivered is in parcels, none of which is empty; order, line.';

CREATE VIEW invariants.returned_is_in_requests (id, detail) AS
SELECT l.order_id, l.id::text
FROM order_lines AS l
JOIN orders AS o ON o.id = l.order_id
LEFT JOIN (
    SELECT x.order_id, x.line_id, sum(x.quantity) AS pieces
    FROM order_request_lines AS x
    JOIN order_requests AS r ON r.order_id = x.order_id AND r.id = x.request_id
    WHERE r.state = 'done' AND NOT r.keep_goods AND r.decided_by IS NULL
    GROUP BY x.order_id, x.line_id
) AS back ON back.order_id = l.order_id AND back.line_id = l.id
WHERE o.state <> 'cancelled' AND l.returned <> coalesce(back.pieces, 0)
UNION ALL
SELECT r.order_id, 'refund'
FROM order_requests AS r
JOIN refunds AS f ON f.id = r.refund_id
WHERE (f.order_id, f.request_id) IS DISTINCT FROM (r.order_id, r.id);
COMMENT ON VIEW invariants.returned_is_in_requests IS
'What of a line came back is in returns that are done, and a return''s refund is its own; order, line.';

CREATE VIEW invariants.deadlines_are_set (id, detail) AS
SELECT o.id, o.stage
FROM orders AS o
WHERE (o.stage IN ('new', 'to_ship') AND o.ship_by IS NULL)
    OR (o.stage = 'shipping' AND o.deliver_by IS NULL)
    OR (o.stage = 'delivered' AND o.open_request IS NULL AND o.complete_at IS NULL)
UNION ALL
SELECT r.order_id, 'request'
FROM order_requests AS r
WHERE r.state IN ('open', 'approved', 'sent_back') AND NOT r.disputed AND r.deadline_at IS NULL;
COMMENT ON VIEW invariants.deadlines_are_set IS
'Whatever a timer is to move on has its deadline; else it stands for ever, and its money; order, stage.';

CREATE VIEW invariants.invoices_without_gaps (id, detail) AS
SELECT store_id, concat_ws(' ', year, kind)
FROM invoice_counters AS c
FULL JOIN (
    SELECT i.store_id, i.year, i.kind, max(i.number) AS highest, count(*) AS invoices
    FROM invoices AS i
    GROUP BY i.store_id, i.year, i.kind
) AS issued USING (store_id, year, kind)
WHERE coalesce(c.last, 0) <> coalesce(issued.highest, 0) OR issued.invoices <> issued.highest;
COMMENT ON VIEW invariants.invoices_without_gaps IS
'Invoices are numbered from 1 without gaps, and the counter is the last; store, year, kind.';

CREATE VIEW invariants.no_foreign_child (id, detail) AS
SELECT l.order_id, 'line'
FROM order_lines AS l
JOIN orders AS o ON o.id = l.order_id
JOIN products AS p ON p.id = l.product_id
WHERE l.buyer_id <> o.buyer_id OR p.store_id <> l.store_id
UNION ALL
SELECT s.order_id, 'shipment'
FROM shipments AS s
JOIN orders AS o ON o.id = s.order_id
WHERE s.buyer_id <> o.buyer_id
UNION ALL
SELECT r.order_id, 'request'
FROM order_requests AS r
JOIN orders AS o ON o.id = r.order_id
WHERE r.buyer_id <> o.buyer_id
UNION ALL
SELECT r.order_id, 'refund'
FROM refunds AS r
JOIN orders AS o ON o.id = r.order_id
WHERE r.buyer_id <> o.buyer_id OR r.payment_id IS DISTINCT FROM o.payment_id OR r.currency <> o.currency
UNION ALL
SELECT i.order_id, 'invoice'
FROM invoices AS i
JOIN orders AS o ON o.id = i.order_id
WHERE i.buyer_id <> o.buyer_id
UNION ALL
SELECT p.id, 'payment'
FROM payments AS p
JOIN checkouts AS c ON c.id = p.checkout_id
LEFT JOIN orders AS o ON o.id = p.order_id
WHERE p.buyer_id <> c.buyer_id OR p.currency <> c.currency OR o.checkout_id <> p.checkout_id;
COMMENT ON VIEW invariants.no_foreign_child IS
'Lines, parcels, returns, refunds, invoices and payments are of the buyer and store of their order; order (of a payment '
'itself), what.';

CREATE VIEW invariants.requests_stand_on_their_order (id) AS
SELECT o.id
FROM orders AS o
LEFT JOIN order_requests AS r
    ON r.order_id = o.id
    AND (r.state IN ('open', 'approved', 'sent_back') OR (r.disputed AND r.decided_by IS NULL))
WHERE o.open_request IS DISTINCT FROM CASE
        WHEN r.disputed AND r.decided_by IS NULL THEN 'dispute'
        WHEN r.id IS NOT NULL THEN 'return'
        WHEN o.cancel_asked_at IS NOT NULL AND o.cancel_by IS NOT NULL THEN 'cancel'
    END;
COMMENT ON VIEW invariants.requests_stand_on_their_order IS 'An order says what of it waits for an answer.';

-- One pass over the events: to look up each order's is slower.
CREATE VIEW invariants.every_order_has_its_events (id) AS
SELECT o.id
FROM orders AS o
LEFT JOIN (
    SELECT
        e.order_id,
        bool_or(e.type = 'order.placed') AS placed,
        bool_or(e.type = 'order.paid') AS paid,
        bool_or(e.type = 'order.new') AS new,
        bool_or(e.type = 'order.shipped') AS shipped,
        bool_or(e.type = 'order.accepted') AS accepted,
        bool_or(e.type = 'order.completed') AS completed,
        bool_or(e.type = 'order.cancelled') AS cancelled
    FROM events AS e
    WHERE e.order_id IS NOT NULL
    GROUP BY e.order_id
) AS told ON told.order_id = o.id
WHERE o.placed_at > now() - interval '700 days'
    AND NOT coalesce(
        told.placed
        AND (told.paid OR o.paid = 0)
        AND (told.new OR NOT o.settled OR o.state = 'cancelled')
        AND (told.shipped OR o.units_shipped = 0)
        AND CASE o.state
            WHEN 'accepted' THEN told.accepted
            WHEN 'completed' THEN told.completed
            WHEN 'cancelled' THEN told.cancelled
            ELSE true
        END,
        false
    );
COMMENT ON VIEW invariants.every_order_has_its_events IS
'It is told that an order was placed, paid, new, shipped, and of the state it is in; of 700 days (events are kept 750).';
