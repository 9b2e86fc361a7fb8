-- Refunds: lists for whom money goes back to, for the store it comes from, and for admins who send it.

-- fragment: shown
r.id, r.order_id, r.store_id, r.buyer_id, r.amount, r.currency, r.reason, r.way, r.state, r.reference, r.version,
r.created_at, refund_account(r.id) AS bank,
ARRAY(
    SELECT json_build_object('line_id', l.line_id, 'quantity', l.quantity, 'amount', l.amount::text)
    FROM refund_lines AS l
    WHERE l.refund_id = r.id
    ORDER BY l.line_id
) AS lines

-- name: of_caller
-- Those that a user gets, and those that their store gives, newest first: one scan each, merged.
SELECT
    /* include: shown */
FROM (
    SELECT y.id
    FROM (
        (
            SELECT x.id, x.created_at
            FROM refunds AS x
            WHERE /* own */ x.buyer_id = %(user_id)s::bigint
                AND (x.created_at, x.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
            ORDER BY x.buyer_id DESC, x.created_at DESC, x.id DESC
            LIMIT %(limit)s
        )
        UNION ALL
        (
            SELECT x.id, x.created_at
            FROM refunds AS x
            WHERE /* own */ x.store_id = %(store_id)s::bigint
                AND x.store_id IS NOT NULL
                AND (x.created_at, x.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
            ORDER BY x.store_id DESC, x.created_at DESC, x.id DESC
            LIMIT %(limit)s
        )
    ) AS y
    ORDER BY y.created_at DESC, y.id DESC
    LIMIT %(limit)s
) AS page
JOIN refunds AS r ON r.id = page.id
ORDER BY r.created_at DESC, r.id DESC;

-- name: newest
-- For admins: all.
SELECT
    /* include: shown */
FROM refunds AS r
WHERE (r.created_at, r.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
ORDER BY r.created_at DESC, r.id DESC
LIMIT %(limit)s;

-- name: by_hand
-- For admins: what somebody has to send, or has no account, the longest waiting first.
SELECT
    /* include: shown */
FROM refunds AS r
WHERE r.state IN ('due', 'needs_bank')
    AND r.way <> 'provider'
    AND r.way = %(way)s::text
    AND r.state = %(state)s::text
    AND (r.created_at, r.id) > (%(after_at)s::timestamptz, %(after_id)s::bigint)
ORDER BY r.way, r.state, r.created_at, r.id
LIMIT %(limit)s;

-- name: find
SELECT
    /* include: shown */
FROM refunds AS r
WHERE r.id = %(refund_id)s
    AND /* own */ (%(everything)s::boolean OR r.buyer_id = %(user_id)s::bigint OR r.store_id = %(store_id)s::bigint);

-- name: lock
-- Its version, until the end of the transaction.
SELECT lock_refund(%(refund_id)s) AS told;

-- name: give_account
-- Where it goes to: it is due then. The verb says who may.
SELECT refund_step(%(refund_id)s, 'due', doc => %(account)s::jsonb) AS told;

-- name: finish
-- It was sent.
SELECT refund_step(%(refund_id)s, 'done', its_reference => %(reference)s) AS told;
