-- Stores.

-- fragment: shown
-- What everybody sees of a store; state_reason is for admins and its owner.
s.id,
s.name,
s.description,
s.logo,
s.logo ->> 'url' AS logo_url,
s.city,
s.state,
CASE WHEN (SELECT my_role()) = 'admin' OR s.id = (SELECT my_store_id()) THEN s.state_reason END AS state_reason,
CASE WHEN s.closed_until > now() THEN s.closed_until END AS closed_until,
coalesce((SELECT c.products FROM store_counts AS c WHERE c.store_id = s.id), 0) AS products,
(s.created_at AT TIME ZONE 'UTC')::date AS joined,
json_build_object('whatsapp', s.whatsapp) AS contact,
s.version,
s.created_at,
s.updated_at

-- name: find
-- budget: 100 buffers
-- One that is active; an admin sees the others, too.
SELECT
    /* include: shown */
FROM stores AS s
WHERE s.id = %(store_id)s
    AND (s.state = 'active' OR (SELECT my_role()) = 'admin');

-- fragment: wanted
-- Those that are active; an admin sees the others, too, and may ask for a state. A part of the name is found by an
-- index of trigrams, if it has three letters.
FROM stores AS s
WHERE CASE
        WHEN (SELECT my_role()) = 'admin' THEN %(state)s::text IS NULL OR s.state = %(state)s
        ELSE s.state = 'active'
    END
    AND (
        %(search)s::text IS NULL
        OR fold_name(s.name) LIKE '%%' || regexp_replace(fold_name(%(search)s), '([\\%%_])', '\\\1', 'g') || '%%'
    )
    AND (%(city)s::text IS NULL OR lower(s.city) = lower(%(city)s))

-- name: search
-- budget: 160 buffers
-- Newest first.
SELECT
    /* include: shown */
/* include: wanted */
    AND (%(after_id)s::bigint IS NULL OR s.id < %(after_id)s)
ORDER BY s.id DESC
LIMIT %(limit)s OFFSET %(offset)s;

-- name: count
-- budget: 100 buffers
SELECT count(*) AS matches
FROM (
    SELECT
    /* include: wanted */
    LIMIT %(limit)s
) AS counted;

-- name: find_own
-- The caller's own, in any state. `setup`: what is there of all that selling needs. `verified`: whether sellers
-- have to have confirmed their address.
SELECT
    /* include: shown */,
    s.whatsapp,
    json_build_object(
        'email', u.email_verified_at IS NOT NULL,
        'origin', g.origin IS NOT NULL,
        'delivery', d.there,
        'pay_account', g.pay_account IS NOT NULL,
        'can_sell', s.state = 'active' AND d.there AND (NOT %(verified)s::boolean OR u.email_verified_at IS NOT NULL)
    ) AS setup
FROM stores AS s
JOIN users AS u ON u.id = s.owner_id
LEFT JOIN store_settings AS g ON g.store_id = s.id
CROSS JOIN LATERAL (
    SELECT count(*) > 0 AS there
    FROM delivery_options AS o
    WHERE o.store_id = s.id AND o.active
) AS d
WHERE s.id = %(store_id)s
    AND /* own */ s.owner_id = %(owner_id)s
    AND s.owner_id = (SELECT me());

-- name: open
INSERT INTO stores (owner_id, name, description, state)
VALUES (%(owner_id)s, %(name)s, %(description)s, CASE WHEN %(pending)s::boolean THEN 'pending' ELSE 'active' END)
RETURNING id;

-- name: become_seller
SELECT auth.become_seller();

-- name: hold
-- The state that a change starts from. FOR UPDATE waits for products that are being added (their foreign key
-- holds the row). Each of them has either been committed before the rename, and the rebuild finds it, or reads
-- the new name.
SELECT s.id, s.name, s.description, s.city, s.whatsapp, s.closed_until, s.version
FROM stores AS s
WHERE s.id = %(store_id)s
    AND /* own */ s.owner_id = %(owner_id)s
FOR UPDATE;

-- name: change
UPDATE stores
SET name = %(name)s,
    description = %(description)s,
    city = %(city)s,
    whatsapp = %(whatsapp)s,
    closed_until = %(closed_until)s,
    version = version + 1,
    updated_at = now()
WHERE id = %(store_id)s
    AND /* own */ owner_id = %(owner_id)s;

-- name: change_logo
-- NULL removes it. Returns the previous one; it has been held before.
WITH before AS (
    SELECT b.id, b.logo
    FROM stores AS b
    WHERE b.id = %(store_id)s
        AND /* own */ b.owner_id = %(owner_id)s
    FOR UPDATE
)
UPDATE stores AS s
SET logo = %(logo)s::jsonb, version = s.version + 1, updated_at = now()
FROM before
WHERE s.id = before.id AND s.logo IS DISTINCT FROM %(logo)s::jsonb
RETURNING before.logo AS replaced;

-- name: hold_any
-- For admins: any store, locked, as it is now. Its owner is looked at in the next statement, which sees what was
-- committed while this one waited.
SELECT s.id, s.name, s.state, s.state_reason, s.version
FROM stores AS s
WHERE s.id = %(store_id)s
    AND (SELECT my_role()) = 'admin'
FOR UPDATE;

-- name: set_state
-- A store whose owner is suspended goes with them: it is let go when they are.
UPDATE stores AS s
SET state = CASE WHEN o.suspended THEN 'suspended' ELSE %(state)s::text END,
    state_reason = CASE WHEN %(state)s::text = 'active' AND o.suspended THEN 'owner' ELSE %(reason)s END,
    version = s.version + 1,
    updated_at = now()
FROM (
    SELECT k.id, u.suspended_at IS NOT NULL AS suspended
    FROM stores AS k
    JOIN users AS u ON u.id = k.owner_id
    WHERE k.id = %(store_id)s
) AS o
WHERE s.id = o.id
    AND (SELECT my_role()) = 'admin'
    AND (s.state, s.state_reason) IS DISTINCT FROM (
        CASE WHEN o.suspended THEN 'suspended' ELSE %(state)s::text END,
        CASE WHEN %(state)s::text = 'active' AND o.suspended THEN 'owner' ELSE %(reason)s END
    )
RETURNING s.state, (SELECT u.email FROM users AS u WHERE u.id = s.owner_id) AS email;

-- name: unsettled
-- For the worker: stores that are not active, and those let go whose products are still hidden for it.
SELECT s.id
FROM stores AS s
WHERE s.state <> 'active'
UNION
SELECT p.store_id
FROM products AS p
WHERE p.blocked = 'store'
ORDER BY id;

-- name: settle
-- Hides products of a store that is stopped, or shows again what its stopping has hidden, some at a time; which ones.
SELECT settle_store(%(store_id)s, %(most)s) AS product_ids;

-- name: brands_of
-- Brands of these products: each is listed with its first product on sale, and not before.
SELECT DISTINCT p.brand_id
FROM products AS p
WHERE p.id = ANY(%(product_ids)s) AND p.brand_id IS NOT NULL
ORDER BY p.brand_id;

-- name: refresh_counts
-- For the worker.
SELECT refresh_store_counts();
