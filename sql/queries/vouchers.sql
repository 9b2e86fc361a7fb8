-- Vouchers of stores and of the platform.

-- fragment: columns
v.id, v.store_id, v.code, v.name, v.gives, v.value, v.max_discount, v.min_total, v.product_ids, v.category_ids, v.listed,
v.starts_at, v.ends_at, v.quota, v.used, v.per_buyer, v.active, v.version, v.created_at, v.updated_at

-- name: list
-- A store's, or without a store the platform's; the newest first.
SELECT
    /* include: columns */
FROM vouchers AS v
WHERE /* own */ v.store_id IS NOT DISTINCT FROM %(store_id)s::bigint
    AND (%(active)s::boolean IS NULL OR v.active = %(active)s)
    AND (%(after_id)s::bigint IS NULL OR v.id < %(after_id)s)
ORDER BY v.id DESC
LIMIT %(limit)s;

-- name: take_turn
SELECT pg_advisory_xact_lock(hashtextextended('vouchers', coalesce(%(store_id)s::bigint, 0)));

-- name: count
SELECT count(*) AS vouchers
FROM vouchers AS v
WHERE v.active
    AND /* own */ v.store_id IS NOT DISTINCT FROM %(store_id)s::bigint;

-- name: add
INSERT INTO vouchers AS v (
    store_id, code, name, gives, value, max_discount, min_total, product_ids, category_ids, listed, starts_at, ends_at,
    quota, per_buyer, active
)
VALUES (
    %(store_id)s, %(code)s, %(name)s, %(gives)s, %(value)s, %(max_discount)s, %(min_total)s, %(product_ids)s,
    %(category_ids)s, %(listed)s, coalesce(%(starts_at)s, now()), %(ends_at)s, %(quota)s, %(per_buyer)s, %(active)s
)
RETURNING
    /* include: columns */
;

-- name: hold
SELECT
    /* include: columns */
FROM vouchers AS v
WHERE v.id = %(voucher_id)s
    AND /* own */ v.store_id IS NOT DISTINCT FROM %(store_id)s::bigint
FOR NO KEY UPDATE;

-- name: change
-- What it gives, and its code, never change.
UPDATE vouchers AS v
SET name = %(name)s, max_discount = %(max_discount)s, min_total = %(min_total)s, product_ids = %(product_ids)s,
    category_ids = %(category_ids)s, listed = %(listed)s, starts_at = %(starts_at)s, ends_at = %(ends_at)s,
    quota = %(quota)s, per_buyer = %(per_buyer)s, active = %(active)s, version = v.version + 1, updated_at = now()
WHERE v.id = %(voucher_id)s
    AND /* own */ v.store_id IS NOT DISTINCT FROM %(store_id)s::bigint
RETURNING
    /* include: columns */
;
