-- Responses kept for repeated requests.

-- name: take
-- A concurrent duplicate cannot see an uncommitted response, but it sees this lock. Held to the end of the
-- transaction.
SELECT pg_try_advisory_xact_lock(hashtextextended(%(user_id)s::bigint || ' ' || %(key)s::text, 0)) AS taken;

-- name: find
SELECT k.fingerprint, k.status, k.location, k.version, k.body
FROM idempotency_keys AS k
WHERE /* own */ k.user_id = %(user_id)s
    AND k.key = %(key)s
    AND k.created_at > now() - interval '24 hours';

-- name: keep
-- A row that exists here has expired: find did not see it.
INSERT INTO idempotency_keys AS k (user_id, key, fingerprint, status, location, version, body)
VALUES (%(user_id)s, %(key)s, %(fingerprint)s, %(status)s, %(location)s, %(version)s, %(body)s)
ON CONFLICT (user_id, key) DO UPDATE
SET fingerprint = excluded.fingerprint,
    status = excluded.status,
    location = excluded.location,
    version = excluded.version,
    body = excluded.body,
    created_at = excluded.created_at;

-- name: trim
-- All of a user's but the newest.
DELETE FROM idempotency_keys AS k
WHERE (k.user_id, k.key) IN (
    SELECT old.user_id, old.key
    FROM idempotency_keys AS old
    WHERE /* own */ old.user_id = %(user_id)s
    ORDER BY old.created_at DESC, old.key
    OFFSET %(most)s
);

-- name: sweep
-- For the worker, in small batches.
WITH swept AS (
    DELETE FROM idempotency_keys AS k
    WHERE (k.user_id, k.key) IN (
        SELECT old.user_id, old.key
        FROM idempotency_keys AS old
        WHERE old.created_at <= now() - interval '24 hours'
        ORDER BY old.created_at
        LIMIT %(most)s
        FOR UPDATE SKIP LOCKED
    )
    RETURNING k.user_id
)

SELECT count(*) AS swept
FROM swept;
