-- no transaction
-- What providers have not sent yet, the longest waiting first, for admins.
-- squawk-ignore prefer-robust-stmts
CREATE INDEX CONCURRENTLY refunds_at_provider_idx ON refunds (state, created_at, id)
WHERE way = 'provider' AND state IN ('due', 'sending', 'sent');
