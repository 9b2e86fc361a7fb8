-- Users, as they see themselves and as admins see them. Row-level security is the second wall.

-- name: find
SELECT
    u.id, u.name, u.email, u.email_verified_at IS NOT NULL AS email_verified, u.phone, u.address, u.role,
    CASE u.role WHEN 'buyer' THEN 'pembeli' WHEN 'seller' THEN 'penjual' ELSE u.role END AS user_role,
    s.id AS store_id, u.avatar, u.suspended_at IS NOT NULL AS suspended, u.version, u.created_at, u.updated_at
FROM users AS u
LEFT JOIN stores AS s ON s.owner_id = u.id
WHERE /* own */ u.id = %(user_id)s;

-- name: search
-- For admins: by part of the name or address, newest first. A few hundred thousand users are read in the order
-- of their ids until a page is full.
SELECT
    u.id, u.name, u.email, u.email_verified_at IS NOT NULL AS email_verified, u.phone, u.address, u.role,
    CASE u.role WHEN 'buyer' THEN 'pembeli' WHEN 'seller' THEN 'penjual' ELSE u.role END AS user_role,
    s.id AS store_id, u.avatar, u.suspended_at IS NOT NULL AS suspended, u.version, u.created_at, u.updated_at
FROM users AS u
LEFT JOIN stores AS s ON s.owner_id = u.id
WHERE (%(role)s::text IS NULL OR u.role = %(role)s)
    AND (%(suspended)s::boolean IS NULL OR (u.suspended_at IS NOT NULL) = %(suspended)s)
    AND (
        %(search)s::text IS NULL
        OR strpos(fold_name(u.name), fold_name(%(search)s)) > 0
        OR strpos(lower(u.email), lower(%(search)s)) > 0
    )
    AND (%(after_id)s::bigint IS NULL OR u.id < %(after_id)s)
ORDER BY u.id DESC
LIMIT %(limit)s OFFSET %(offset)s;

-- name: count
SELECT count(*) AS matches
FROM (
    SELECT
    FROM users AS u
    WHERE (%(role)s::text IS NULL OR u.role = %(role)s)
        AND (%(suspended)s::boolean IS NULL OR (u.suspended_at IS NOT NULL) = %(suspended)s)
        AND (
            %(search)s::text IS NULL
            OR strpos(fold_name(u.name), fold_name(%(search)s)) > 0
            OR strpos(lower(u.email), lower(%(search)s)) > 0
        )
    LIMIT %(limit)s
) AS counted;

-- name: hold
-- Locks the row and returns its version; NULL if the caller may not change it.
SELECT auth.hold_user(%(user_id)s) AS version;

-- name: change
-- Another spelling of the same address; another address is set by sessions.change_email.
UPDATE users
SET name = %(name)s,
    email = %(email)s,
    phone = %(phone)s,
    address = %(address)s,
    version = version + 1,
    updated_at = now()
WHERE /* own */ id = %(user_id)s;

-- name: change_avatar
-- NULL removes it. Returns the previous one.
WITH before AS (
    SELECT b.id, b.avatar
    FROM users AS b
    WHERE /* own */ b.id = %(user_id)s
    FOR UPDATE
)
UPDATE users AS u
SET avatar = %(avatar)s::json, version = u.version + 1, updated_at = now()
FROM before
WHERE u.id = before.id
RETURNING before.avatar AS replaced;

-- name: manage
SELECT auth.manage_user(%(user_id)s, %(role)s, %(suspended)s);

-- name: forget_me
-- The caller, at once; a job does what may be much. Returns whose account and store it was; no row where the
-- proof is not that of the present password.
SELECT f.user_id, f.store_id
FROM auth.forget_me(%(proof)s) AS f
WHERE f.user_id IS NOT NULL;

-- name: forget_things
-- For the worker, until none are left: imports and activities of a deleted user; returns how many rows went.
SELECT auth.forget_things(%(user_id)s, %(most)s) AS forgotten;

-- name: open_orders
-- Of the caller and of their store.
SELECT o.is_open, o.numbers
FROM my_open_orders() AS o;

-- name: private_images
-- Of a deleted user, whose files go before their rows.
SELECT p.key
FROM auth.private_images(%(user_id)s) AS p (key);

-- name: forget_trade
SELECT auth.forget_trade(%(user_id)s) AS forgotten;

-- name: close_store
-- For the worker, until none are left: returns which products were hidden.
SELECT auth.close_store(%(store_id)s, %(most)s) AS product_ids;

-- name: forget_trail
-- For the worker, until last_id is NULL: words that the audit trail keeps of a closed store.
SELECT f.last_time, f.last_id
FROM auth.forget_trail(%(store_id)s, %(after_time)s::timestamptz, %(after_id)s::bigint, %(most)s) AS f;

-- name: add_admin
-- By the tables' owner, on the command line: the application's role may not write users.
WITH added AS (
    INSERT INTO users (name, email, email_verified_at, role)
    VALUES (%(name)s, %(email)s, now(), 'admin')
    RETURNING id
)

INSERT INTO auth.credentials (user_id, password_hash)
SELECT a.id, %(password_hash)s
FROM added AS a
RETURNING user_id;

-- name: manage_as_owner
-- By the tables' owner, on the command line; as auth.manage_user, and admins too. NULL leaves a value as it is. The
-- last admin who can sign in stays one: no row then, as for an address or id that nobody has.
WITH found AS (
    SELECT u.id
    FROM users AS u
    WHERE (lower(u.email) = lower(%(who)s) OR u.id::text = %(who)s)
        AND (
            u.role <> 'admin'
            OR NOT (coalesce(%(role)s::text, 'admin') <> 'admin' OR coalesce(%(suspended)s::boolean, FALSE))
            OR EXISTS (
                SELECT
                FROM users AS other
                WHERE other.role = 'admin' AND other.suspended_at IS NULL AND other.id <> u.id
            )
        )
    FOR UPDATE
),

changed AS (
    UPDATE users AS u
    SET role = coalesce(%(role)s::text, u.role),
        suspended_at = CASE
            WHEN %(suspended)s::boolean IS NULL THEN u.suspended_at
            WHEN %(suspended)s::boolean THEN coalesce(u.suspended_at, now())
        END,
        version = u.version + 1,
        updated_at = now()
    FROM found
    WHERE u.id = found.id
    RETURNING u.id, u.name, u.email, u.role, u.suspended_at IS NOT NULL AS suspended
),

ended AS (
    UPDATE auth.sessions AS s
    SET ended_at = now()
    FROM changed
    WHERE s.user_id = changed.id AND changed.suspended AND s.ended_at IS NULL
),

closed AS (
    UPDATE stores AS s
    SET state = CASE WHEN changed.suspended THEN 'suspended' ELSE 'active' END,
        state_reason = CASE WHEN changed.suspended THEN 'owner' END,
        version = s.version + 1,
        updated_at = now()
    FROM changed
    WHERE s.owner_id = changed.id
        AND (
            (changed.suspended AND s.state = 'active')
            OR (NOT changed.suspended AND s.state = 'suspended' AND s.state_reason = 'owner')
        )
)

SELECT c.id, c.name, c.email, c.role, c.suspended
FROM changed AS c;
