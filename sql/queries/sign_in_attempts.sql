-- Passwords as they are tried: counted before they are looked at.

-- name: begin
-- user_id and password_hash are NULL for an address nobody has; retry_after is set where none is looked at now.
SELECT b.user_id, b.password_hash, b.guess, b.retry_after
FROM auth.begin_guess(%(email)s, %(ip)s::inet) AS b;

-- name: end
-- right_one: all guesses are forgotten; otherwise one is taken back that was not looked at.
SELECT auth.end_guess(%(guess)s::bytea, %(right_one)s);

-- name: wrong
SELECT w.tell_owner, w.spraying
FROM auth.wrong_guess(%(guess)s::bytea, %(ip)s::inet) AS w;

-- name: rehash
SELECT auth.rehash(%(user_id)s, %(old_hash)s, %(new_hash)s);
