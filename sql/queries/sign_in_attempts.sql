-- Sign-in attempts: each is counted before its password is checked.

-- name: begin
-- user_id and password_hash are NULL for an address without an account; retry_after is set if no password is
-- checked now.
SELECT b.user_id, b.password_hash, b.guess, b.retry_after
FROM auth.begin_guess(%(email)s, %(ip)s::inet) AS b;

-- name: end
-- right_one: all attempts are forgotten; otherwise one attempt that was not checked is taken back.
SELECT auth.end_guess(%(guess)s::bytea, %(right_one)s);

-- name: wrong
SELECT w.tell_owner, w.spraying
FROM auth.wrong_guess(%(guess)s::bytea, %(ip)s::inet) AS w;

-- name: rehash
SELECT auth.rehash(%(user_id)s, %(old_hash)s, %(new_hash)s);
