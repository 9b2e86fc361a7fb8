-- The audit trail. migrations/V0007__audit.sql explains how it is written.

-- name: search
-- Newest first. The policy leaves a seller the entries of their own store.
SELECT
    a.id, a.created_at, a.user_id, a.role, a.store_id, a.action, a.type, a.thing_id, a.before, a.after, a.request_id
FROM audit AS a
WHERE /* own */ (%(store_id)s::bigint IS NULL OR a.store_id = %(store_id)s)
    AND (%(user_id)s::bigint IS NULL OR a.user_id = %(user_id)s)
    AND (%(type)s::text IS NULL OR a.type = %(type)s)
    AND (%(thing_id)s::bigint IS NULL OR a.thing_id = %(thing_id)s)
    AND (%(action)s::text IS NULL OR a.action = %(action)s)
    AND (%(request_id)s::text IS NULL OR a.request_id = %(request_id)s)
    AND (%(from)s::timestamptz IS NULL OR a.created_at >= %(from)s)
    AND (%(to)s::timestamptz IS NULL OR a.created_at <= %(to)s)
    AND (%(after_id)s::bigint IS NULL OR (a.created_at, a.id) < (%(after_time)s::timestamptz, %(after_id)s))
ORDER BY a.created_at DESC, a.id DESC
LIMIT %(limit)s OFFSET %(offset)s;

-- name: count
SELECT count(*) AS matches
FROM (
    SELECT
    FROM audit AS a
    WHERE /* own */ (%(store_id)s::bigint IS NULL OR a.store_id = %(store_id)s)
        AND (%(user_id)s::bigint IS NULL OR a.user_id = %(user_id)s)
        AND (%(type)s::text IS NULL OR a.type = %(type)s)
        AND (%(thing_id)s::bigint IS NULL OR a.thing_id = %(thing_id)s)
        AND (%(action)s::text IS NULL OR a.action = %(action)s)
        AND (%(request_id)s::text IS NULL OR a.request_id = %(request_id)s)
        AND (%(from)s::timestamptz IS NULL OR a.created_at >= %(from)s)
        AND (%(to)s::timestamptz IS NULL OR a.created_at <= %(to)s)
    LIMIT %(limit)s
) AS counted;
