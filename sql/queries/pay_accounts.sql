-- Accounts that buyers pay a store directly to: a part of its private settings.

-- name: find
-- Of the caller's own store, whose id is read from the session; the policy hides any other.
SELECT s.pay_account AS account
FROM store_settings AS s
WHERE s.store_id = %(store_id)s;

-- name: set
-- Of the caller's own store, whose id is read from the session; the policy refuses any other. NULL takes it away.
-- A payment that is open shows the account of the moment: its instructions are read when they are shown.
INSERT INTO store_settings AS s (store_id, pay_account)
VALUES (%(store_id)s, %(account)s::jsonb)
ON CONFLICT (store_id) DO UPDATE
SET pay_account = excluded.pay_account, version = s.version + 1, updated_at = now();

-- name: keep_code
-- After the account is set: its row is the turn of whoever changes it.
SELECT keep_code(%(upload_id)s::uuid) AS kept;
