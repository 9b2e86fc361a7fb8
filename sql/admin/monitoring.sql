-- The state of the database, for a DBA. As a superuser or a member of pg_monitor:  psql -f sql/admin/monitoring.sql

\pset pager off

\echo 'Statements by total time; the name is the file and statement of sql/queries (needs pg_stat_statements).'
SELECT
    substring(s.query FROM '-- ([a-z_]+\.[a-z0-9_]+)\s*$') AS statement,
    s.calls,
    round(s.total_exec_time::numeric, 0) AS total_ms,
    round(s.mean_exec_time::numeric, 2) AS mean_ms,
    round(s.max_exec_time::numeric, 1) AS max_ms,
    s.shared_blks_read AS blocks_read
FROM pg_stat_statements AS s
WHERE s.dbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
ORDER BY s.total_exec_time DESC
LIMIT 20;

\echo 'Transactions open for more than ten seconds.'
SELECT a.pid, a.application_name, a.state, now() - a.xact_start AS open_for, left(a.query, 80) AS query
FROM pg_stat_activity AS a
WHERE a.xact_start < now() - interval '10 seconds' AND a.datname = current_database()
ORDER BY a.xact_start;

\echo 'What holds the change feed back: the oldest transactions that have written something, in any database.'
SELECT a.pid, a.datname, a.application_name, a.state, now() - a.xact_start AS open_for, left(a.query, 80) AS query
FROM pg_stat_activity AS a
WHERE a.backend_xid IS NOT NULL
ORDER BY age(a.backend_xid) DESC
LIMIT 5;

\echo 'Who waits for whom.'
SELECT a.pid, pg_blocking_pids(a.pid) AS waits_for, a.wait_event_type, left(a.query, 80) AS query
FROM pg_stat_activity AS a
WHERE cardinality(pg_blocking_pids(a.pid)) > 0;

\echo 'The largest tables, with their indexes and dead rows.'
SELECT
    t.relname,
    pg_size_pretty(pg_total_relation_size(t.relid)) AS total,
    pg_size_pretty(pg_indexes_size(t.relid)) AS indexes,
    t.n_live_tup AS rows,
    t.n_dead_tup AS dead,
    coalesce(t.last_autovacuum, t.last_vacuum) AS vacuumed
FROM pg_stat_user_tables AS t
ORDER BY pg_total_relation_size(t.relid) DESC
LIMIT 15;

\echo 'Indexes no query has used since the statistics were reset (unique ones keep rules, so they are left out).'
SELECT i.relname, i.indexrelname, pg_size_pretty(pg_relation_size(i.indexrelid)) AS size
FROM pg_stat_user_indexes AS i
JOIN pg_index AS x ON x.indexrelid = i.indexrelid
WHERE i.idx_scan = 0 AND NOT x.indisunique
ORDER BY pg_relation_size(i.indexrelid) DESC
LIMIT 20;

\echo 'The queue: how much waits, and since when.'
SELECT j.queue_name, j.status, count(*) AS jobs, min(e.at) AS since
FROM jobs.procrastinate_jobs AS j
LEFT JOIN jobs.procrastinate_events AS e ON e.job_id = j.id AND e.type = 'deferred'
WHERE j.status IN ('todo', 'doing', 'failed')
GROUP BY j.queue_name, j.status
ORDER BY j.queue_name, j.status;
