-- The list of open payments, oldest first, is read by its own index: beside one whose condition the list fulfils too,
-- the planner joined both and read every open payment. Payments are new: nothing waits.
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX payments_poll_at_idx;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX payments_poll_at_idx ON payments (poll_at) WHERE state IN ('opening', 'open') AND poll_at IS NOT NULL;
