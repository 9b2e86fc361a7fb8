-- no transaction
-- The key of rows of stock that are told apart by variants too; V0039 makes it the primary one. No IF NOT EXISTS: an
-- index that a failure left invalid must not pass for this one.
-- squawk-ignore prefer-robust-stmts
CREATE UNIQUE INDEX CONCURRENTLY inventory_variant_key ON inventory (product_id, variant_id);
