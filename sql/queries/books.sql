-- The books, as far as calls reach them: the balance of a store, and entries that an admin makes by hand.

-- name: balance
-- What the platform owes a store; below 0 the store owes. No row: nothing happened yet.
SELECT b.balance, b.updated_at
FROM store_balances AS b
WHERE /* own */ b.store_id = %(store_id)s;

-- name: post
-- Once a key; the verb takes it from admins alone.
SELECT
    post_by_hand(
        what => %(kind)s,
        its_key => %(key)s,
        debit => %(debit)s,
        credit => %(credit)s,
        of_store => %(store_id)s,
        much => %(amount)s,
        why => %(note)s
    ) AS id;

-- name: find
-- An entry with its postings, for admins. NULL: there is none.
SELECT ledger_entry(%(entry_id)s) AS entry;
