-- Passwords as they are tried: counted before they are looked at, and compared in the database.

-- name: begin
-- salt is NULL for an address nobody has; retry_after is set where none is looked at now.
SELECT b.ticket, b.salt, b.retry_after
FROM auth.begin_attempt(%(email)s, %(ip)s::inet) AS b;

-- name: settle
-- Without a proof the attempt is taken back: it was not looked at.
SELECT s.outcome, s.user_id, s.tell_owner, s.spraying, s.retry_after
FROM auth.settle_attempt(%(ticket)s::bytea, %(proof)s::text) AS s;

-- name: rehash
SELECT auth.rehash(%(user_id)s, %(old_hash)s, %(new_hash)s);
