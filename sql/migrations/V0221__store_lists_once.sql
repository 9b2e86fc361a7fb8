-- no transaction
-- products_store_shown_idx (V0220) has all that this one has.
-- squawk-ignore prefer-robust-stmts
DROP INDEX CONCURRENTLY products_store_newest_idx;
