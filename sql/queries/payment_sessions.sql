-- Sessions at providers: what the worker asks, writes and claims, and callbacks. For the worker, but for take_callback
-- and silent.

-- name: find
-- All that a job needs of a payment, and how old it is.
SELECT
    p.id, p.checkout_id, p.method, p.channel, p.state, p.reference, p.our_reference, p.amount, p.currency,
    p.expires_at, p.return_url, p.error,
    p.created_at < now() - interval '15 minutes' AS is_old,
    coalesce(p.expires_at < now(), false) AS has_expired
FROM payments AS p
WHERE p.id = %(payment_id)s;

-- name: named
SELECT p.id
FROM payments AS p
WHERE p.method = %(method)s AND p.our_reference = %(our_reference)s;

-- name: lines
-- What is paid for, in all orders of a checkout: things, what they cost less, delivery and tax sum to the total.
WITH parts AS (
    SELECT 1 AS place, l.id, l.name, l.quantity, l.price * l.quantity AS amount
    FROM order_lines AS l
    JOIN orders AS o ON o.id = l.order_id
    WHERE o.checkout_id = %(checkout_id)s
    UNION ALL
    SELECT s.place, 0, s.name, 1, s.amount
    FROM (
        SELECT
            sum(o.discount_total + o.subsidy_total) AS discount,
            sum(o.delivery_total) AS delivery,
            sum(o.tax_total) FILTER (WHERE NOT o.tax_included) AS tax
        FROM orders AS o
        WHERE o.checkout_id = %(checkout_id)s
    ) AS o
    CROSS JOIN LATERAL (VALUES
        (2, 'discount', -o.discount),
        (3, 'delivery', o.delivery),
        (4, 'tax', o.tax)
    ) AS s (place, name, amount)
)

SELECT p.name, p.quantity, p.amount
FROM parts AS p
WHERE p.amount <> 0
ORDER BY p.place, p.id;

-- name: opened
SELECT payment_opened(
    %(payment_id)s, %(reference)s, %(instructions)s::jsonb, %(until)s::timestamptz, %(refused)s
) AS state;

-- name: reopen
SELECT reopen_payment(%(payment_id)s) AS payment_id;

-- name: apply
SELECT apply_payment(%(payment_id)s, %(told)s, %(amount)s, %(currency)s, %(fee)s) AS outcome;

-- name: closed_now
-- Sessions of a checkout that this transaction has closed here: they are to be closed at their provider too.
SELECT p.id, p.our_reference
FROM payments AS p
WHERE p.checkout_id = %(checkout_id)s
    AND p.state IN ('cancelled', 'expired')
    AND p.updated_at = now()
    AND p.method NOT IN ('transfer', 'store_transfer')
ORDER BY p.id;

-- name: waiting
-- The payments of a checkout that wait at a provider.
SELECT p.id, p.our_reference
FROM payments AS p
WHERE p.checkout_id = %(checkout_id)s
    AND p.state IN ('opening', 'open')
    AND p.method NOT IN ('transfer', 'store_transfer')
ORDER BY p.id;

-- name: claim
SELECT c.id, c.our_reference
FROM claim_payments(%(most)s) AS c;

-- name: put_off
SELECT put_off(%(checkout_id)s) AS until;

-- name: returned
-- Refunds of a payment that its provider may know of, among those that it names.
SELECT r.id, r.amount
FROM refunds AS r
WHERE r.payment_id = %(payment_id)s
    AND r.id = ANY(%(refund_ids)s)
    AND r.way = 'provider'
    AND r.state IN ('due', 'sending', 'sent')
ORDER BY r.id;

-- name: take_callback
SELECT take_callback(%(provider)s, %(key)s, %(subject)s, %(body)s) AS id;

-- name: callback
SELECT c.provider, c.subject
FROM provider_callbacks AS c
WHERE c.id = %(callback_id)s;

-- name: callbacks_about
-- Those about the same payment that have come so far: asking once is enough for all.
SELECT c.id
FROM provider_callbacks AS c
WHERE c.applied_at IS NULL AND c.provider = %(provider)s AND c.subject = %(subject)s
ORDER BY c.id;

-- name: callbacks_left
-- What nobody has applied for two minutes: the job failed, or one that ran just then did not see it.
SELECT c.id, c.subject
FROM provider_callbacks AS c
WHERE c.applied_at IS NULL AND c.received_at < now() - interval '2 minutes'
ORDER BY c.received_at
LIMIT %(most)s;

-- name: callback_applied
SELECT callback_applied(%(callback_id)s, %(outcome)s) AS done;

-- name: silent
-- Providers that are not asked at the moment, since they were silent.
SELECT s.provider
FROM provider_states AS s
WHERE s.silent_until > now();

-- name: say_silent
INSERT INTO provider_states AS s (provider, silent_until, updated_at)
VALUES (%(provider)s, now() + %(seconds)s * interval '1 second', now())
ON CONFLICT (provider) DO UPDATE
    SET silent_until = excluded.silent_until, updated_at = excluded.updated_at;
