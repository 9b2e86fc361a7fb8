-- no transaction
-- Stores on holiday: few, and looked for with each page of products.
-- squawk-ignore prefer-robust-stmts
CREATE INDEX CONCURRENTLY stores_closed_idx ON stores (closed_until) WHERE closed_until IS NOT NULL;
