-- Private images that a later call names.

-- name: add
INSERT INTO uploads (user_id, id, purpose, key, bytes)
VALUES (%(user_id)s, %(upload_id)s, %(purpose)s, %(key)s, %(bytes)s);

-- name: count
-- Those of a user that nothing names yet.
SELECT count(*) AS uploads
FROM uploads AS u
WHERE NOT u.used
    AND /* own */ u.user_id = %(user_id)s;

-- name: sweep
-- For the worker: what nobody has named for a day.
WITH old AS (
    SELECT u.id
    FROM uploads AS u
    WHERE NOT u.used AND u.created_at < now() - interval '1 day'
    ORDER BY u.created_at
    LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
)

DELETE FROM uploads AS u
USING old AS o
WHERE u.id = o.id
RETURNING u.key;

-- name: kept
-- For the worker: which of these files a row names.
SELECT u.key
FROM uploads AS u
WHERE u.key = ANY(%(keys)s);
