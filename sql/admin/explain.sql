-- Statements of `explain` and `check-sql`, which only read. `explain` plans in a read-only transaction that is
-- rolled back; `check-sql` makes PostgreSQL parse each statement and executes none. {statement} is a named
-- statement's text.

-- name: only_look
SELECT set_config('default_transaction_read_only', 'on', false);

-- name: as_role
-- The settings of the application's own connections, for one transaction.
SELECT
    set_config('role', %(role)s, true),
    set_config('jit', 'off', true),
    set_config('max_parallel_workers_per_gather', '0', true),
    set_config('random_page_cost', '1.1', true),
    set_config('plan_cache_mode', %(plans)s, true);

-- name: measured
EXPLAIN (ANALYZE, BUFFERS)
{statement};

-- name: planned
-- With values, and not executed.
EXPLAIN (VERBOSE)
{statement};

-- name: prepared
PREPARE explained AS
{statement};

-- name: for_any_values
EXPLAIN (VERBOSE) EXECUTE explained {values};
