-- no transaction
-- Products that the stopping of their store has hidden: few, and looked for each minute by the worker.
-- squawk-ignore prefer-robust-stmts
CREATE INDEX CONCURRENTLY products_store_blocked_idx ON products (store_id, id) WHERE blocked = 'store';
