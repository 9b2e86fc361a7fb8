-- What must always be so of money: payments, refunds and the books. Views as in V0047, each row a fault.

CREATE VIEW invariants.money_came_and_went (id) AS
SELECT p.id
FROM payments AS p
LEFT JOIN (
    SELECT o.payment_id, sum(o.paid) AS amount
    FROM orders AS o
    WHERE o.payment_id IS NOT NULL
    GROUP BY o.payment_id
) AS paid ON paid.payment_id = p.id
LEFT JOIN (
    SELECT r.payment_id, sum(r.amount) AS amount
    FROM refunds AS r
    WHERE r.order_id IS NULL
    GROUP BY r.payment_id
) AS back ON back.payment_id = p.id
WHERE p.state = 'paid'
    AND p.received <> coalesce(paid.amount, 0)
        + coalesce(back.amount, 0)
        + CASE WHEN p.problem = 'amount_mismatch' AND p.refund_total = 0 THEN p.received ELSE 0 END;
COMMENT ON VIEW invariants.money_came_and_went IS
'What a payment received paid its orders, goes back without an order, or is kept apart as a wrong amount.';

CREATE VIEW invariants.payment_asks_what_is_due (id) AS
SELECT p.id
FROM payments AS p
JOIN checkouts AS c ON c.id = p.checkout_id
LEFT JOIN orders AS o ON o.id = p.order_id
WHERE p.amount <> coalesce(o.total, c.total);
COMMENT ON VIEW invariants.payment_asks_what_is_due IS
'A payment asks the total of its checkout, or of its order.';

CREATE VIEW invariants.paid_by_its_payment (id) AS
SELECT o.id
FROM orders AS o
LEFT JOIN payments AS p ON p.id = o.payment_id
WHERE (
        o.payment_id IS NOT NULL
        AND (
            p.state <> 'paid'
            OR p.problem IS NOT NULL
            OR p.checkout_id <> o.checkout_id
            OR o.paid <> o.total
            OR NOT o.settled
        )
    )
    OR (
        o.settled
        AND NOT o.cod
        AND o.payment_id IS NULL
        AND (SELECT c.total FROM checkouts AS c WHERE c.id = o.checkout_id) <> 0
    );
COMMENT ON VIEW invariants.paid_by_its_payment IS
'The payment that an order names is paid, without a problem, and of its checkout; what is neither cash on delivery nor '
'free is settled by one alone.';

CREATE VIEW invariants.refunds_of_an_order (id) AS
SELECT o.id
FROM orders AS o
LEFT JOIN refunds AS r ON r.order_id = o.id
GROUP BY o.id
HAVING o.refund_total <> coalesce(sum(r.amount), 0)
    OR o.refunded <> coalesce(sum(r.amount) FILTER (WHERE r.state = 'done'), 0)
    OR (o.state = 'cancelled' AND o.refund_total <> o.paid);
COMMENT ON VIEW invariants.refunds_of_an_order IS
'What an order promised back and gave back are its refunds; a cancelled one promised all that was paid.';

CREATE VIEW invariants.refunds_of_a_payment (id) AS
SELECT p.id
FROM payments AS p
LEFT JOIN refunds AS r ON r.payment_id = p.id
GROUP BY p.id, p.refund_total
HAVING p.refund_total <> coalesce(sum(r.amount), 0);
COMMENT ON VIEW invariants.refunds_of_a_payment IS 'What a payment promised back are its refunds.';

CREATE VIEW invariants.refund_is_its_lines (id) AS
SELECT r.id
FROM refunds AS r
JOIN refund_lines AS l ON l.refund_id = r.id
GROUP BY r.id
HAVING r.amount <> sum(l.amount) OR r.subsidy <> sum(l.subsidy);
COMMENT ON VIEW invariants.refund_is_its_lines IS 'Amount and subsidy of a refund that has lines are theirs.';

CREATE VIEW invariants.no_line_gives_back_more (id, detail) AS
SELECT l.order_id, l.id::text
FROM order_lines AS l
JOIN refund_lines AS r ON r.order_id = l.order_id AND r.line_id = l.id
GROUP BY l.order_id, l.id
HAVING sum(r.quantity) > l.quantity - l.forgone
    OR sum(r.amount) > l.total + l.tax
    OR sum(r.subsidy) > l.subsidy
    OR sum(r.commission) > l.commission
    OR sum(r.commission_tax) > l.commission_tax
    OR (
        sum(r.quantity) = l.quantity
        AND (
            sum(r.commission) <> l.commission
            OR sum(r.commission_tax) <> l.commission_tax
            OR sum(r.subsidy) <> l.subsidy
        )
    );
COMMENT ON VIEW invariants.no_line_gives_back_more IS
'No line gives back more than it has, and with all its pieces all its commission and subsidy; order, line.';

-- A coin a line is rounding.
CREATE VIEW invariants.subsidy_of_what_is_gone (id) AS
SELECT o.id
FROM orders AS o
JOIN order_lines AS l ON l.order_id = o.id
WHERE o.settled AND o.subsidy_total > 0
GROUP BY o.id
HAVING o.subsidy_returned + count(*) < sum(l.subsidy * (l.cancelled + l.undelivered) / l.quantity);
COMMENT ON VIEW invariants.subsidy_of_what_is_gone IS
'The platform''s part of pieces that were cancelled or never arrived went back to it.';

CREATE VIEW invariants.commission_is_of_what_stayed (id) AS
SELECT o.id
FROM orders AS o
CROSS JOIN LATERAL (
    SELECT
        sum(l.commission - round_money(l.commission * gone.pieces / l.quantity, o.currency)) AS fee,
        sum(l.commission_tax - round_money(l.commission_tax * gone.pieces / l.quantity, o.currency)) AS tax
    FROM order_lines AS l
    CROSS JOIN LATERAL (
        SELECT l.forgone + coalesce(sum(r.quantity), 0) AS pieces
        FROM refund_lines AS r
        WHERE r.order_id = l.order_id AND r.line_id = l.id
    ) AS gone
    WHERE l.order_id = o.id
) AS due
CROSS JOIN LATERAL (
    SELECT
        -coalesce(sum(p.amount) FILTER (WHERE a.kind = 'commission'), 0) AS fee,
        -coalesce(sum(p.amount) FILTER (WHERE a.kind = 'commission_tax'), 0) AS tax
    FROM ledger_postings AS p
    JOIN ledger_accounts AS a ON a.id = p.account_id
    WHERE p.order_id = o.id
) AS booked
WHERE o.state = 'completed'
    AND (due.fee, due.tax) IS DISTINCT FROM (booked.fee, booked.tax);
COMMENT ON VIEW invariants.commission_is_of_what_stayed IS
'The commission that is booked for a completed order, and its tax, are those of the pieces that stayed, to the coin.';

CREATE VIEW invariants.commission_is_its_lines (id, detail) AS
SELECT l.order_id, l.id::text
FROM order_lines AS l
JOIN orders AS o ON o.id = l.order_id
WHERE l.commission <> round_money((l.price * l.quantity - l.discount) * l.commission_rate / 100, o.currency);
COMMENT ON VIEW invariants.commission_is_its_lines IS 'The commission of a line is its rate of what was sold; order, line.';

CREATE VIEW invariants.cancelled_costs_nobody (id, detail) AS
SELECT o.id, a.kind
FROM orders AS o
JOIN ledger_postings AS p ON p.order_id = o.id
JOIN ledger_accounts AS a ON a.id = p.account_id
WHERE o.state = 'cancelled'
    AND a.kind IN ('expense_voucher', 'expense_dispute', 'commission', 'commission_tax')
GROUP BY o.id, a.kind
HAVING sum(p.amount) <> 0;
COMMENT ON VIEW invariants.cancelled_costs_nobody IS
'A cancelled order leaves no subsidy, dispute or commission in the books; order, account.';

CREATE VIEW invariants.entries_balance (id) AS
SELECT e.id
FROM ledger_entries AS e
LEFT JOIN ledger_postings AS p ON p.entry_id = e.id
GROUP BY e.id
HAVING coalesce(sum(p.amount), 0) <> 0;
COMMENT ON VIEW invariants.entries_balance IS 'The postings of each entry sum to 0.';

CREATE VIEW invariants.ledger_is_zero (id) AS
SELECT 1::bigint
FROM ledger_postings AS p
HAVING sum(p.amount) <> 0;
COMMENT ON VIEW invariants.ledger_is_zero IS 'All postings sum to 0.';

CREATE VIEW invariants.balances_are_payable (id) AS
SELECT coalesce(b.store_id, owed.store_id)
FROM store_balances AS b
FULL JOIN (
    SELECT a.store_id, -sum(p.amount) AS amount
    FROM ledger_accounts AS a
    JOIN ledger_postings AS p ON p.account_id = a.id
    WHERE a.kind = 'payable'
    GROUP BY a.store_id
) AS owed ON owed.store_id = b.store_id
WHERE coalesce(b.balance, 0) <> coalesce(owed.amount, 0);
COMMENT ON VIEW invariants.balances_are_payable IS 'The balance of a store is the sum of its account in the books.';

CREATE VIEW invariants.escrow_is_open_orders (id) AS
SELECT o.id
FROM orders AS o
LEFT JOIN (
    SELECT p.order_id, -sum(p.amount) AS amount
    FROM ledger_postings AS p
    JOIN ledger_accounts AS a ON a.id = p.account_id
    WHERE a.kind = 'escrow'
    GROUP BY p.order_id
) AS held ON held.order_id = o.id
WHERE coalesce(held.amount, 0) <> CASE
        WHEN o.state IN ('completed', 'cancelled') OR NOT o.settled THEN 0
        ELSE o.paid + o.subsidy_total - o.subsidy_returned - o.refund_total
    END;
COMMENT ON VIEW invariants.escrow_is_open_orders IS
'What is held in escrow for an order is what was paid and subsidised and did not go back, while it is open; else 0.';

CREATE VIEW invariants.refund_due_is_refunds (id) AS
SELECT order_id
FROM (
    SELECT coalesce(p.order_id, 0) AS order_id, -sum(p.amount) AS amount
    FROM ledger_postings AS p
    JOIN ledger_accounts AS a ON a.id = p.account_id
    WHERE a.kind = 'refund_due'
    GROUP BY coalesce(p.order_id, 0)
) AS booked
FULL JOIN (
    SELECT coalesce(r.order_id, 0) AS order_id, sum(r.amount) AS amount
    FROM refunds AS r
    WHERE r.state NOT IN ('done', 'given_up')
    GROUP BY coalesce(r.order_id, 0)
) AS open USING (order_id)
WHERE coalesce(booked.amount, 0) <> coalesce(open.amount, 0);
COMMENT ON VIEW invariants.refund_due_is_refunds IS
'What the books owe buyers is their open refunds, order by order; 0: of no order.';

CREATE VIEW invariants.expense_is_subsidy (id) AS
SELECT o.id
FROM orders AS o
LEFT JOIN (
    SELECT p.order_id, sum(p.amount) AS amount
    FROM ledger_postings AS p
    JOIN ledger_accounts AS a ON a.id = p.account_id
    WHERE a.kind = 'expense_voucher'
    GROUP BY p.order_id
) AS spent ON spent.order_id = o.id
WHERE coalesce(spent.amount, 0) <> CASE WHEN o.settled THEN o.subsidy_total - o.subsidy_returned ELSE 0 END;
COMMENT ON VIEW invariants.expense_is_subsidy IS 'What the platform spent on an order is its subsidy that did not go back.';

CREATE VIEW invariants.unallocated_is_problems (id) AS
SELECT 1::bigint
FROM (
    SELECT -coalesce(sum(p.amount), 0) AS amount
    FROM ledger_postings AS p
    JOIN ledger_accounts AS a ON a.id = p.account_id
    WHERE a.kind = 'unallocated'
) AS booked
CROSS JOIN (
    SELECT coalesce(sum(p.received), 0) AS amount
    FROM payments AS p
    WHERE p.problem = 'amount_mismatch' AND p.refund_total = 0
) AS wrong
CROSS JOIN (
    SELECT coalesce(sum(r.amount), 0) AS amount
    FROM refunds AS r
    WHERE r.state = 'given_up'
) AS given_up
WHERE booked.amount <> wrong.amount + given_up.amount;
COMMENT ON VIEW invariants.unallocated_is_problems IS
'What nobody could place is payments of a wrong amount and refunds that were given up.';

CREATE VIEW invariants.provider_is_its_payments (id, detail) AS
SELECT 1::bigint, coalesce(booked.provider, known.provider)
FROM (
    SELECT a.provider, sum(p.amount) AS amount
    FROM ledger_postings AS p
    JOIN ledger_accounts AS a ON a.id = p.account_id
    JOIN ledger_entries AS e ON e.id = p.entry_id
    WHERE a.kind = 'provider' AND e.kind <> 'settlement'
    GROUP BY a.provider
) AS booked
FULL JOIN (
    SELECT
        p.method AS provider,
        sum(p.received - coalesce(p.provider_fee, 0)) - coalesce(
            sum(
                (
                    SELECT sum(r.amount)
                    FROM refunds AS r
                    WHERE r.payment_id = p.id AND r.way = 'provider' AND r.state = 'done'
                )
            ),
            0
        ) AS amount
    FROM payments AS p
    WHERE p.state = 'paid' AND payment_account(p.method) = 'provider'
    GROUP BY p.method
) AS known ON known.provider = booked.provider
WHERE coalesce(booked.amount, 0) <> coalesce(known.amount, 0);
COMMENT ON VIEW invariants.provider_is_its_payments IS
'What must lie at a provider is what it received, without its fees and what went back through it; 1, provider.';

CREATE VIEW invariants.what_moved_is_booked (id, detail) AS
WITH again AS (
    SELECT split_part(e.source, ' ', 2)::bigint AS payment_id, sum(p.amount) AS amount
    FROM ledger_entries AS e
    JOIN ledger_postings AS p ON p.entry_id = e.id AND p.line = 1
    WHERE e.kind = 'payment_again'
    GROUP BY split_part(e.source, ' ', 2)::bigint
),

moved AS (
    SELECT
        'payment' AS kind, 'payment ' || p.id AS source, p.id, p.received - coalesce(a.amount, 0) AS amount
    FROM payments AS p
    LEFT JOIN again AS a ON a.payment_id = p.id
    WHERE p.received > 0
    UNION ALL
    SELECT 'sale', 'order ' || o.id, o.id, NULL
    FROM orders AS o
    WHERE o.state = 'completed'
    UNION ALL
    SELECT 'cod_collected', 'order ' || o.id, o.id, o.paid
    FROM orders AS o
    WHERE o.cod AND o.paid > 0
    UNION ALL
    SELECT 'subsidy', 'order ' || o.id, o.id, o.subsidy_total
    FROM orders AS o
    WHERE o.settled AND o.subsidy_total > 0 AND o.state <> 'cancelled'
    UNION ALL
    SELECT 'refund_sent', 'refund ' || r.id, r.id, r.amount
    FROM refunds AS r
    WHERE r.state = 'done'
    UNION ALL
    SELECT 'refund_given_up', 'refund ' || r.id, r.id, r.amount
    FROM refunds AS r
    WHERE r.state = 'given_up'
    UNION ALL
    SELECT 'dispute', 'refund ' || r.id, r.id, r.amount
    FROM refunds AS r
    WHERE r.bearer = 'platform'
)

SELECT m.id, m.kind
FROM moved AS m
LEFT JOIN ledger_entries AS e ON e.kind = m.kind AND e.source = m.source
LEFT JOIN ledger_postings AS p ON p.entry_id = e.id AND p.line = 1
WHERE e.id IS NULL
    OR p.amount <> m.amount
    OR (p.amount IS NULL AND m.amount IS NOT NULL);
COMMENT ON VIEW invariants.what_moved_is_booked IS
'Each payment, sale, cash on delivery, subsidy, refund that was sent or given up, and dispute has its entry with its '
'amount; payment, order or refund, kind.';
