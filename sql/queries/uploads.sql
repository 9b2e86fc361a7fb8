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

-- name: kept
-- For the worker: which of these files a row names.
SELECT u.key
FROM uploads AS u
WHERE u.key = ANY(%(keys)s);
