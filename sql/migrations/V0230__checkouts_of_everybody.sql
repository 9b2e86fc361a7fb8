-- no transaction
-- An admin lists everybody's checkouts, newest first; all of them are those of the three states, merged: one index more,
-- not two. No IF NOT EXISTS: an index that a failure left invalid must not pass for this one.
-- squawk-ignore prefer-robust-stmts
CREATE INDEX CONCURRENTLY checkouts_state_idx ON checkouts (state, placed_at, id);
