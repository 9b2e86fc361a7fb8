-- A store lists orders about which one thing is asked: the kind stands in the index, before the time. Without it a kind
-- that nobody asks for reads through all that is asked otherwise. The tables are new and empty.

-- squawk-ignore require-concurrent-index-deletion, prefer-robust-stmts
DROP INDEX orders_store_request_idx;
-- squawk-ignore require-concurrent-index-creation, prefer-robust-stmts
CREATE INDEX orders_store_request_idx ON orders (store_id, open_request, placed_at, id)
WHERE open_request IS NOT NULL;
