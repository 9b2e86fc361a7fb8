-- Accounts that buyers pay a store directly to: a part of its private settings.

-- name: set
-- NULL takes it away. A payment that is open keeps what it said: its instructions are read when they are shown.
INSERT INTO store_settings AS s (store_id, pay_account)
VALUES (%(store_id)s, %(account)s::jsonb)
ON CONFLICT (store_id) DO UPDATE
SET pay_account = excluded.pay_account, version = s.version + 1, updated_at = now()
WHERE /* own */ s.store_id = (SELECT my_store_id())
RETURNING s.pay_account;
