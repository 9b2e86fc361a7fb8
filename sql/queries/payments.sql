-- Payments: tries to pay a checkout or, to a store itself, an order. Written by verbs alone.

-- fragment: columns
p.id, p.checkout_id, p.order_id, p.store_id, p.method, p.channel, p.state, p.amount, p.currency, p.expires_at, p.problem,
p.refusal, p.instructions, p.proof_at, p.version, p.created_at, p.updated_at, p.received, p.reversed,
p.settled_by IS NOT NULL AS settled

-- name: of_checkouts
-- The newest of each thing to pay: a checkout, or with transfers to stores each of its orders.
SELECT DISTINCT ON (p.checkout_id, coalesce(p.order_id, 0))
    /* include: columns */,
    CASE WHEN p.method = 'store_transfer' THEN store_account(p.id) END AS account
FROM payments AS p
WHERE p.checkout_id = ANY(%(checkout_ids)s)
ORDER BY p.checkout_id, coalesce(p.order_id, 0), p.id DESC;

-- name: find
SELECT
    /* include: columns */,
    CASE WHEN p.method = 'store_transfer' THEN store_account(p.id) END AS account
FROM payments AS p
WHERE p.id = %(payment_id)s
    AND /* own */ (p.buyer_id = (SELECT me()) OR p.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin');

-- name: list
-- Those that somebody has to look at, the longest waiting first: an admin's all, a seller's those to their account.
SELECT
    /* include: columns */
FROM payments AS p
WHERE p.state = 'checking'
    AND (p.proof_at, p.id) > (%(after_at)s::timestamptz, %(after_id)s::bigint)
    AND (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
    AND /* own */ (p.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin')
ORDER BY p.proof_at, p.id
LIMIT %(limit)s;

-- name: list_open
-- Those that wait for their buyer, the oldest first.
SELECT
    /* include: columns */
FROM payments AS p
WHERE p.state = 'open'
    AND (p.created_at, p.id) > (%(after_at)s::timestamptz, %(after_id)s::bigint)
    AND (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
    AND /* own */ (p.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin')
ORDER BY p.created_at, p.id
LIMIT %(limit)s;

-- name: list_problems
-- Money that came wrong, late or twice, or was taken back, and nobody has looked at, the longest waiting first.
SELECT
    /* include: columns */
FROM payments AS p
WHERE (p.problem IS NOT NULL OR p.reversed IS NOT NULL)
    AND p.settled_by IS NULL
    AND (p.updated_at, p.id) > (%(after_at)s::timestamptz, %(after_id)s::bigint)
    AND (%(store_id)s::bigint IS NULL OR p.store_id = %(store_id)s)
    AND /* own */ (p.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin')
ORDER BY p.updated_at, p.id
LIMIT %(limit)s;

-- name: send_proof
SELECT send_proof(%(payment_id)s, %(document)s::jsonb) AS outcome;

-- name: confirm
SELECT confirm_transfer(%(payment_id)s, %(received)s, %(give_back)s) AS outcome;

-- name: refuse
SELECT refuse_transfer(%(payment_id)s, %(reason)s) AS outcome;

-- name: again
-- It came once more; once a key.
SELECT transfer_again(%(payment_id)s, %(received)s, %(key)s) AS outcome;

-- name: settle
-- Somebody has looked at its problem.
SELECT settle_problem(%(payment_id)s, %(how)s) AS outcome;

-- name: image
-- The image of a proof; no row for who may not see it.
SELECT i.id
FROM images_of_payment(%(payment_id)s) AS i;

-- name: code
-- The image of the QR code that a payment to a store goes to; NULL for who may not see it.
SELECT code_of_payment(%(payment_id)s) AS id;
