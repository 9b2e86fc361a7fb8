-- Refunds: lists for whom money goes back to, for the store it comes from, and for admins who send it.

-- fragment: shown
r.id, r.order_id, r.store_id, r.buyer_id, r.amount, r.currency, r.reason, r.bearer, r.way, r.state, r.reference, r.error,
r.version, r.created_at, refund_account(r.id) AS bank,
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

-- name: at_provider
-- For admins: what a provider is to send, or was asked to, the longest waiting first.
SELECT
    /* include: shown */
FROM refunds AS r
WHERE r.state IN ('due', 'sending', 'sent')
    AND r.way = 'provider'
    AND r.state = %(state)s::text
    AND (r.created_at, r.id) > (%(after_at)s::timestamptz, %(after_id)s::bigint)
ORDER BY r.state, r.created_at, r.id
LIMIT %(limit)s;

-- name: of_order
-- Those of one order, newest first.
SELECT
    /* include: shown */
FROM refunds AS r
WHERE r.order_id = %(order_id)s
    AND r.id < %(before_id)s::bigint
    AND /* own */ (%(everything)s::boolean OR r.buyer_id = %(user_id)s::bigint OR r.store_id = %(store_id)s::bigint)
ORDER BY r.order_id DESC, r.id DESC
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

-- name: fail
-- It did not arrive, or cannot be sent so: an account is wanted.
SELECT refund_step(%(refund_id)s, 'needs_bank', why => %(reason)s) AS told;

-- name: give_up
-- Nobody is found who takes it.
SELECT refund_step(%(refund_id)s, 'given_up', why => %(reason)s) AS told;

-- name: promise
-- Pieces of lines, or a sum. The verb says who may.
SELECT
    refund_order(
        of_order => %(order_id)s,
        much => %(amount)s::numeric,
        why => %(reason)s,
        line_ids => %(line_ids)s::bigint[],
        pieces => %(pieces)s::integer[],
        borne_by => %(bearer)s
    ) AS told;

-- name: claim
-- What a provider is to send, or to be asked about; nobody else gets it for some minutes. For the worker.
SELECT c.id
FROM claim_refunds(%(most)s) AS c
ORDER BY c.id;

-- name: to_send
-- What a provider has to know of a refund, as long as it is to send it. For the worker.
SELECT
    r.id, r.state, r.amount, r.currency, r.reason, r.tries, p.id AS payment_id, p.method, p.channel, p.reference,
    p.our_reference
FROM refunds AS r
JOIN payments AS p ON p.id = r.payment_id
WHERE r.id = %(refund_id)s AND r.way = 'provider' AND r.state IN ('sending', 'sent');

-- name: step
-- For the worker: what a provider said of it.
SELECT
    refund_step(%(refund_id)s, %(state)s, its_reference => %(reference)s, why => %(reason)s) AS told;
