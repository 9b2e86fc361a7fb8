-- Stores are looked for by a part of their name.

-- squawk-ignore require-concurrent-index-creation
CREATE INDEX stores_folded_idx ON stores USING gin (fold_name(name) gin_trgm_ops);
