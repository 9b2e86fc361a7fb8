-- Activities: what users did.

-- name: record
INSERT INTO activities (user_id, type, related_type, related_id, related_name, details, ip, device)
VALUES (
    %(user_id)s, %(type)s, %(related_type)s, %(related_id)s, %(related_name)s,
    %(details)s::json, %(ip)s::inet, %(device)s
);

-- name: record_view
-- At most one a user and thing in ten minutes. The index by type keeps the lookup short.
INSERT INTO activities (user_id, type, related_type, related_id, related_name, ip, device)
SELECT
    %(user_id)s, %(type)s, %(related_type)s, %(related_id)s, %(related_name)s, %(ip)s::inet, %(device)s
WHERE NOT EXISTS (
    SELECT
    FROM activities AS a
    WHERE /* own */ a.user_id = %(user_id)s
        AND a.type = %(type)s
        AND a.related_id = %(related_id)s
        AND a.created_at > now() - interval '10 minutes'
);

-- name: search
-- Newest first; `from` and `to` are inclusive. The export reads the same, batch after batch.
SELECT a.id, a.type, a.related_type, a.related_id, a.related_name, a.details, host(a.ip) AS ip, a.device, a.created_at
FROM activities AS a
WHERE /* own */ a.user_id = %(user_id)s
    AND (%(type)s::text IS NULL OR a.type = %(type)s)
    AND (%(from)s::timestamptz IS NULL OR a.created_at >= %(from)s)
    AND (%(to)s::timestamptz IS NULL OR a.created_at <= %(to)s)
    AND (%(after_id)s::bigint IS NULL OR (a.created_at, a.id) < (%(after_time)s::timestamptz, %(after_id)s))
ORDER BY a.created_at DESC, a.id DESC
LIMIT %(limit)s OFFSET %(offset)s;

-- name: count
SELECT count(*) AS matches
FROM (
    SELECT
    FROM activities AS a
    WHERE /* own */ a.user_id = %(user_id)s
        AND (%(type)s::text IS NULL OR a.type = %(type)s)
        AND (%(from)s::timestamptz IS NULL OR a.created_at >= %(from)s)
        AND (%(to)s::timestamptz IS NULL OR a.created_at <= %(to)s)
    LIMIT %(limit)s
) AS counted;
