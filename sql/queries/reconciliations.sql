-- Days of providers, ours beside theirs. For the worker, but for newest.

-- name: ours
-- What was booked as come by a provider in a day of the shop. The source of such an entry is `payment N`.
SELECT p.our_reference, p.received
FROM ledger_entries AS e
JOIN payments AS p ON p.id = substring(e.source FROM 9)::bigint
WHERE e.kind = 'payment'
    AND e.created_at >= (%(day)s::date)::timestamp AT TIME ZONE %(zone)s
    AND e.created_at < (%(day)s::date + 1)::timestamp AT TIME ZONE %(zone)s
    AND p.method = %(provider)s
ORDER BY p.our_reference;

-- name: known
-- Payments that a provider names, by our reference.
SELECT p.id, p.our_reference, p.state, p.received, p.provider_fee
FROM payments AS p
WHERE p.method = %(provider)s AND p.our_reference = ANY(%(named)s);

-- name: write
INSERT INTO reconciliations AS r (provider, day, ours, theirs, differences, checked_at)
VALUES (%(provider)s, %(day)s, %(ours)s, %(theirs)s, %(differences)s::jsonb, now())
ON CONFLICT (provider, day) DO UPDATE
    SET
        ours = excluded.ours, theirs = excluded.theirs, differences = excluded.differences,
        checked_at = excluded.checked_at;

-- name: find
SELECT r.provider, r.day, r.ours, r.theirs, r.differences, r.checked_at
FROM reconciliations AS r
WHERE r.provider = %(provider)s AND r.day = %(day)s;

-- name: post_settlement
-- What a provider has paid out to the bank, once a day of it.
SELECT post_settlement(of_provider => %(provider)s, of_day => %(day)s, much => %(amount)s) AS id;

-- name: settled
-- What an entry has booked as paid out.
SELECT p.amount
FROM ledger_postings AS p
WHERE p.entry_id = %(entry_id)s AND p.line = 1;

-- name: left
-- What the books have with a provider: it came there, and was neither sent back nor paid out.
SELECT coalesce(sum(p.amount), 0) AS amount
FROM ledger_accounts AS a
LEFT JOIN ledger_postings AS p ON p.account_id = a.id
WHERE a.kind = 'provider' AND a.provider = %(provider)s;
