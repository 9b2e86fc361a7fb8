-- How much of their rate limits a caller has used, by class of call.

-- name: take
-- Takes one use. Returns what remains, and in how many seconds all may be used again; retry_after is set if it
-- is refused.
SELECT t.remaining, t.reset_after, t.retry_after
FROM auth.take(%(key)s, %(every)s, %(burst)s) AS t;

-- name: find_caller_and_take
-- Finds who a session is and takes one use of their limit, in one round trip; no row if the session is not
-- alive.
SELECT a.user_id, a.role, a.store_id, a.session_id, t.remaining, t.reset_after, t.retry_after
FROM auth.alive(%(session_hash)s::bytea) AS a
CROSS JOIN LATERAL auth.take(%(class)s || ' user ' || a.user_id, %(every)s, %(burst)s) AS t
WHERE a.user_id IS NOT NULL;
