-- Filling a trade: orders in every stage of their lives, with all that hangs on them, as the verbs leave it behind. By the
-- owner of the tables, without triggers, keys and indexes (fill.sql, set_aside); store 1 has half of all orders.
-- A third of the orders is of the last 700 days; only those have events, as months fall away after 750.

-- name: plan
-- What becomes of each order, by a hash of its number. Of 100: 1 unpaid, 1 new, 2 to ship, 3 on the road, 1 arrived, 3
-- cancelled, 1 completed in cash, 1 with a return, 2 with a piece refunded; the others are completed.
CREATE TEMPORARY TABLE plan AS
SELECT
    n.n,
    CASE WHEN n.n %% 2 = 0 THEN 1 ELSE 2 + (n.n / 2) %% 999 END AS store_id,
    1001 + abs(hashint8(n.n * 7919)) %% %(buyers)s::integer AS buyer_id,
    n.life,
    n.pieces,
    85000 * n.pieces AS total,
    now() - interval '2100 days' * (1 - n.n / %(orders)s::float8) AS placed_at,
    n.life <> 'unpaid' AND n.life <> 'cancelled' AS settled,
    n.life IN ('shipping', 'delivered', 'cod', 'return', 'refund', 'completed') AS sent,
    n.life IN ('delivered', 'cod', 'return', 'refund', 'completed') AS arrived,
    n.life IN ('cod', 'return', 'refund', 'completed') AS completed
FROM (
    SELECT
        g.n,
        l.life,
        CASE WHEN l.life = 'refund' THEN 2 ELSE 1 + g.n %% 3 END AS pieces
    FROM generate_series(1, %(orders)s::bigint) AS g (n)
    CROSS JOIN LATERAL (SELECT abs(hashint8(g.n)) %% 100 AS bucket) AS b
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN b.bucket < 1 THEN 'unpaid'
            WHEN b.bucket < 2 THEN 'new'
            WHEN b.bucket < 4 THEN 'to_ship'
            WHEN b.bucket < 7 THEN 'shipping'
            WHEN b.bucket < 8 THEN 'delivered'
            WHEN b.bucket < 11 THEN 'cancelled'
            WHEN b.bucket < 12 THEN 'cod'
            WHEN b.bucket < 13 THEN 'return'
            WHEN b.bucket < 15 THEN 'refund'
            ELSE 'completed'
        END AS life
    ) AS l
) AS n;

-- name: people
INSERT INTO users (id, name, email, role) OVERRIDING SYSTEM VALUE
SELECT u.id, 'User ' || u.id, 'u' || u.id || '@example.com', CASE WHEN u.id <= 1000 THEN 'seller' ELSE 'buyer' END
FROM generate_series(1, 1000 + %(buyers)s) AS u (id);

-- name: admin
INSERT INTO users (id, name, email, role) OVERRIDING SYSTEM VALUE
SELECT max(u.id) + 1, 'Admin', 'admin@example.com', 'admin'
FROM users AS u
RETURNING id;

-- name: find_admin
SELECT u.id
FROM users AS u
WHERE u.role = 'admin'
LIMIT 1;

-- name: postings
SELECT count(*) AS postings
FROM ledger_postings;

-- name: broken
SELECT b.name, b.broken, b.example
FROM broken_invariants() AS b;

-- name: stores
INSERT INTO stores (id, owner_id, name) OVERRIDING SYSTEM VALUE
SELECT s.id, s.id, 'Store ' || s.id
FROM generate_series(1, 1000) AS s (id);

-- name: products
INSERT INTO products (id, store_id, name, price, in_stock) OVERRIDING SYSTEM VALUE
SELECT p.id, 1 + (p.id - 1) / 20, 'Kopi ' || p.id, 85000, true
FROM generate_series(1, 20000) AS p (id);

-- name: checkouts
INSERT INTO checkouts (
    id, buyer_id, number, currency, total, method, state, units, pay_by, address, placed_at, settled_at, cancelled_at
) OVERRIDING SYSTEM VALUE
SELECT
    p.n, p.buyer_id, 'C' || p.n, 'IDR', p.total, CASE p.life WHEN 'cod' THEN 'cod' ELSE 'transfer' END,
    CASE p.life WHEN 'unpaid' THEN 'unpaid' WHEN 'cancelled' THEN 'cancelled' ELSE 'settled' END,
    p.pieces, now() + interval '1 day', '{"recipient": "Siti", "city": "Serang", "country": "ID"}', p.placed_at,
    CASE WHEN p.settled THEN p.placed_at END, CASE WHEN p.life = 'cancelled' THEN p.placed_at END
FROM plan AS p;

-- name: orders
INSERT INTO orders (
    id, store_id, buyer_id, checkout_id, number, state, settled, cod, cod_collector, currency, payment_id, items_total,
    total, cancelled_total, paid, refund_total, refunded, units, units_cancelled, units_shipped, units_delivered, delivery,
    cancel_reason, cancelled_by, open_request, accept_at, ship_by, deliver_by, complete_at, completed_at, placed_at
) OVERRIDING SYSTEM VALUE
SELECT
    p.n, p.store_id, p.buyer_id, p.n, 'O' || p.n,
    CASE
        WHEN p.life IN ('unpaid', 'new') THEN 'placed'
        WHEN p.life = 'cancelled' THEN 'cancelled'
        WHEN p.completed THEN 'completed'
        ELSE 'accepted'
    END,
    p.settled, p.life = 'cod', CASE WHEN p.life = 'cod' THEN 'store' END, 'IDR',
    CASE WHEN p.settled AND p.life <> 'cod' THEN p.n END, p.total, p.total,
    CASE p.life WHEN 'cancelled' THEN p.total WHEN 'refund' THEN 85000 ELSE 0 END,
    CASE WHEN p.settled THEN p.total ELSE 0 END,
    CASE p.life WHEN 'refund' THEN 85000 ELSE 0 END,
    CASE p.life WHEN 'refund' THEN 85000 ELSE 0 END,
    p.pieces,
    CASE p.life WHEN 'cancelled' THEN p.pieces WHEN 'refund' THEN 1 ELSE 0 END,
    CASE WHEN p.sent THEN p.pieces - (p.life = 'refund')::integer ELSE 0 END,
    CASE WHEN p.arrived THEN p.pieces - (p.life = 'refund')::integer ELSE 0 END,
    '{"name": "REG", "days_min": 1, "days_max": 3}',
    CASE p.life WHEN 'cancelled' THEN 'unpaid' END, CASE p.life WHEN 'cancelled' THEN 'system' END,
    CASE p.life WHEN 'return' THEN 'return' END,
    CASE p.life WHEN 'new' THEN now() + interval '30 minutes' END,
    now() + make_interval(mins => (p.n %% 100000)::integer), now() + make_interval(mins => (p.n %% 200000)::integer),
    now() + make_interval(mins => (p.n %% 50000)::integer), CASE WHEN p.completed THEN p.placed_at END, p.placed_at
FROM plan AS p;

-- name: order_lines
INSERT INTO order_lines (
    store_id, buyer_id, order_id, id, product_id, name, price, quantity, total, commission_rate, commission, cancelled,
    shipped, delivered
) OVERRIDING SYSTEM VALUE
SELECT
    p.store_id, p.buyer_id, p.n, p.n, (p.store_id - 1) * 20 + 1 + abs(hashint8(p.n + 1)) %% 20, 'Kopi Gayo 250 g', 85000,
    p.pieces, p.total, 5, p.total * 0.05,
    CASE p.life WHEN 'cancelled' THEN p.pieces WHEN 'refund' THEN 1 ELSE 0 END,
    CASE WHEN p.sent THEN p.pieces - (p.life = 'refund')::integer ELSE 0 END,
    CASE WHEN p.arrived THEN p.pieces - (p.life = 'refund')::integer ELSE 0 END
FROM plan AS p;

-- name: holds
INSERT INTO holds (product_id, variant_id, order_id, quantity, expires_at)
SELECT
    l.product_id, 0, l.order_id, l.quantity, CASE WHEN NOT o.settled THEN now() + interval '1 day' END
FROM orders AS o
JOIN order_lines AS l ON l.order_id = o.id
WHERE o.stage IN ('unpaid', 'new', 'to_ship');

-- name: inventory
INSERT INTO inventory (product_id, quantity, reserved)
SELECT p.id, 1000, coalesce(h.pieces, 0)
FROM products AS p
LEFT JOIN (
    SELECT x.product_id, sum(x.quantity) AS pieces
    FROM holds AS x
    GROUP BY x.product_id
) AS h ON h.product_id = p.id;

-- name: shipments
INSERT INTO shipments (store_id, buyer_id, order_id, id, courier, tracking_number, state, shipped_at) OVERRIDING SYSTEM VALUE
SELECT
    p.store_id, p.buyer_id, p.n, p.n, 'jne', 'JX' || p.n, CASE WHEN p.arrived THEN 'delivered' ELSE 'shipped' END,
    p.placed_at
FROM plan AS p
WHERE p.sent;

-- name: shipment_lines
INSERT INTO shipment_lines (order_id, shipment_id, line_id, quantity)
SELECT p.n, p.n, p.n, p.pieces - (p.life = 'refund')::integer
FROM plan AS p
WHERE p.sent;

-- name: order_requests
INSERT INTO order_requests (store_id, buyer_id, order_id, id, reason, amount, deadline_at, created_at)
OVERRIDING SYSTEM VALUE
SELECT p.store_id, p.buyer_id, p.n, p.n, 'damaged', 85000, now() + interval '2 days', p.placed_at
FROM plan AS p
WHERE p.life = 'return';

-- name: order_request_lines
INSERT INTO order_request_lines (order_id, request_id, line_id, quantity)
SELECT p.n, p.n, p.n, 1
FROM plan AS p
WHERE p.life = 'return';

-- name: payments
INSERT INTO payments (
    checkout_id, buyer_id, id, method, our_reference, amount, currency, received, refund_total, state, poll_at, created_at
) OVERRIDING SYSTEM VALUE
SELECT
    p.n, p.buyer_id, p.n, 'transfer', 'C' || p.n || '.' || p.n, p.total, 'IDR',
    CASE WHEN p.settled THEN p.total ELSE 0 END, CASE p.life WHEN 'refund' THEN 85000 ELSE 0 END,
    CASE p.life WHEN 'unpaid' THEN 'open' WHEN 'cancelled' THEN 'cancelled' ELSE 'paid' END, NULL, p.placed_at
FROM plan AS p
WHERE p.life <> 'cod';

-- name: refunds
INSERT INTO refunds (
    id, buyer_id, store_id, order_id, payment_id, amount, currency, reason, way, state, created_at
) OVERRIDING SYSTEM VALUE
SELECT p.n, p.buyer_id, p.store_id, p.n, p.n, 85000, 'IDR', 'lines', 'bank', 'done', p.placed_at
FROM plan AS p
WHERE p.life = 'refund';

-- name: refund_lines
INSERT INTO refund_lines (refund_id, order_id, line_id, quantity, amount, commission)
SELECT p.n, p.n, p.n, 1, 85000, 4250
FROM plan AS p
WHERE p.life = 'refund';

-- name: invoices
INSERT INTO invoices (store_id, year, kind, number, buyer_id, order_id, document)
SELECT p.store_id, 2026, 'invoice', row_number() OVER (PARTITION BY p.store_id ORDER BY p.n), p.buyer_id, p.n, '{}'
FROM plan AS p
WHERE p.completed;

-- name: invoice_counters
INSERT INTO invoice_counters (store_id, year, kind, last)
SELECT p.store_id, 2026, 'invoice', count(*)
FROM plan AS p
WHERE p.completed
GROUP BY p.store_id;

-- name: ledger_accounts
INSERT INTO ledger_accounts (id, kind, store_id) OVERRIDING SYSTEM VALUE
SELECT a.id, a.kind, NULL
FROM (VALUES (2001, 'bank'), (2002, 'escrow'), (2003, 'commission'), (2004, 'refund_due')) AS a (id, kind)
UNION ALL
SELECT s.id, 'payable', s.id
FROM generate_series(1, 1000) AS s (id);

-- name: ledger_entries
INSERT INTO ledger_entries (id, created_at, kind, source, order_id, store_id) OVERRIDING SYSTEM VALUE
SELECT p.n * 4 + e.place, p.placed_at, e.kind, e.source || p.n, CASE WHEN e.place > 0 THEN p.n END, p.store_id
FROM plan AS p
CROSS JOIN LATERAL (
    VALUES
    (0, 'payment', 'payment ', p.settled AND p.life <> 'cod'),
    (0, 'cod_collected', 'order ', p.life = 'cod'),
    (1, 'refund', 'refund ', p.life = 'refund'),
    (2, 'refund_sent', 'refund ', p.life = 'refund'),
    (3, 'sale', 'order ', p.completed)
) AS e (place, kind, source, posted)
WHERE e.posted;

-- name: ledger_postings
-- Accounts: of a store its number, 2001 bank, 2002 escrow, 2003 commission, 2004 what is due to buyers.
INSERT INTO ledger_postings (entry_id, line, account_id, amount, order_id, created_at)
SELECT
    p.n * 4 + e.place, e.line, e.account_id, e.amount,
    CASE WHEN e.place > 0 OR e.account_id = 2002 OR p.life = 'cod' THEN p.n END, p.placed_at
FROM plan AS p
CROSS JOIN LATERAL (
    SELECT
        p.total - CASE p.life WHEN 'refund' THEN 85000 ELSE 0 END AS kept,
        p.total * 0.05 - CASE p.life WHEN 'refund' THEN 4250 ELSE 0 END AS fee
) AS s
CROSS JOIN LATERAL (
    VALUES
    (0, 1, CASE p.life WHEN 'cod' THEN p.store_id ELSE 2001 END, p.total, p.settled),
    (0, 2, 2002, -p.total, p.settled),
    (1, 1, 2002, 85000, p.life = 'refund'),
    (1, 2, 2004, -85000, p.life = 'refund'),
    (2, 1, 2004, 85000, p.life = 'refund'),
    (2, 2, 2001, -85000, p.life = 'refund'),
    (3, 1, 2002, s.kept, p.completed),
    (3, 2, p.store_id, s.fee - s.kept, p.completed),
    (3, 3, 2003, -s.fee, p.completed)
) AS e (place, line, account_id, amount, posted)
WHERE e.posted;

-- name: store_balances
INSERT INTO store_balances (store_id, balance)
SELECT a.store_id, -sum(p.amount)
FROM ledger_accounts AS a
JOIN ledger_postings AS p ON p.account_id = a.id
WHERE a.kind = 'payable'
GROUP BY a.store_id;

-- name: events
INSERT INTO events (type, actor, order_id, checkout_id, store_id, buyer_id)
SELECT e.type, 'system', p.n, p.n, p.store_id, p.buyer_id
FROM plan AS p
CROSS JOIN LATERAL (
    VALUES
    ('order.placed', true),
    ('order.paid', p.settled),
    ('order.new', p.settled),
    ('order.accepted', p.life = 'to_ship' OR p.sent),
    ('order.shipped', p.sent),
    ('order.delivered', p.arrived),
    ('order.completed', p.completed),
    ('order.cancelled', p.life = 'cancelled')
) AS e (type, happened)
WHERE e.happened AND p.placed_at > now() - interval '701 days'
ORDER BY p.n;

-- name: session
INSERT INTO auth.sessions (user_id, secret_hash, expires_at)
VALUES (%(user_id)s, %(secret_hash)s, now() + interval '1 day');

-- name: act
-- Whoever asks next is this session's user, with the rights of the API.
SELECT set_config('app.session', %(session)s, false), set_config('role', 'marketplace_app', false);

-- name: act_as_worker
SELECT set_config('app.session', '', false), set_config('role', 'marketplace_worker', false);

-- name: act_as_owner
SELECT set_config('app.session', '', false), set_config('role', 'none', false);

-- name: buyer
-- The buyer with the most orders.
SELECT o.buyer_id AS user_id
FROM orders AS o
GROUP BY o.buyer_id
ORDER BY count(*) DESC, o.buyer_id
LIMIT 1;

-- name: deep
-- Where a list is far down.
SELECT o.placed_at, o.id
FROM orders AS o
WHERE o.store_id = 1 AND o.stage = 'completed'
ORDER BY o.placed_at, o.id
OFFSET 100
LIMIT 1;
