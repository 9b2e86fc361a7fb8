-- no transaction
-- Whether a store has variants at all, and one of them by its number alone, as a file names it.
-- squawk-ignore prefer-robust-stmts
CREATE INDEX CONCURRENTLY variants_store_id_idx ON variants (store_id, id);
