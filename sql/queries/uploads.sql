-- Private images that a later call names.

-- name: add
INSERT INTO uploads (user_id, id, purpose, key, bytes)
VALUES (%(user_id)s, %(upload_id)s, %(purpose)s, %(key)s, %(bytes)s);

-- name: wait
-- Seconds until a user has fewer than so many that nothing names yet; no row: there are fewer.
SELECT greatest(ceil(extract(EPOCH FROM u.created_at + interval '1 day' - now())), 1)::integer AS seconds
FROM uploads AS u
WHERE NOT u.used
    AND u.created_at > now() - interval '1 day'
    AND /* own */ u.user_id = %(user_id)s
ORDER BY u.created_at DESC
LIMIT 1 OFFSET %(most)s::bigint - 1;

-- name: sweep
-- For the worker: what nobody has named for a day. A call that names one meanwhile waits, and finds none.
DELETE FROM uploads AS u
WHERE NOT u.used
    AND u.id = ANY(ARRAY(
        SELECT o.id
        FROM uploads AS o
        WHERE NOT o.used AND o.created_at < now() - interval '1 day'
        ORDER BY o.created_at
        LIMIT %(most)s
    ))
RETURNING u.key;

-- name: sweep_spent
-- For the worker: what a proof or a return named, and none does so many days after its order ended.
DELETE FROM uploads AS u
WHERE u.id = ANY(ARRAY(
    SELECT o.id
    FROM uploads AS o
    WHERE o.used
        AND o.purpose <> 'qris'
        AND o.created_at < now() - make_interval(days => %(days)s)
        AND NOT EXISTS (
            SELECT FROM checkouts AS c
            JOIN payments AS p ON p.checkout_id = c.id
            WHERE c.buyer_id = o.user_id AND p.proof ->> 'upload' = o.id::text
        )
        AND NOT EXISTS (
            SELECT FROM order_requests AS q
            JOIN orders AS r ON r.id = q.order_id
            WHERE q.buyer_id = o.user_id AND o.id::text = ANY(q.images)
                AND (
                    r.stage NOT IN ('completed', 'cancelled')
                    OR coalesce(r.completed_at, r.updated_at) >= now() - make_interval(days => %(days)s)
                )
        )
    ORDER BY o.created_at
    LIMIT %(most)s
))
RETURNING u.key;

-- name: kept
-- For the worker: which of these files a row names.
SELECT u.key
FROM uploads AS u
WHERE u.key = ANY(%(keys)s);
