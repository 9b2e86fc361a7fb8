-- Tokens sent by mail: to set a new password, to confirm an address.

-- name: issue
-- For the worker: whom to write to, by address, with a new token if the kind has one. user_id is NULL if no
-- mail is sent: an address without an account, or a mailbox that has had its limit.
SELECT t.user_id, t.email
FROM auth.mail_token(%(email)s, %(kind)s, %(token_hash)s::bytea, %(seconds)s::integer) AS t;

-- name: find_reset
SELECT r.name, r.email
FROM auth.find_reset(%(token_hash)s::bytea) AS r
WHERE r.email IS NOT NULL;

-- name: reset_password
SELECT auth.reset_password(%(token_hash)s::bytea, %(password_hash)s) AS user_id;

-- name: verify_email
SELECT auth.verify_email(%(token_hash)s::bytea) AS user_id;
