-- Six queues instead of two: jobs that call somebody else wait in queues of their own, so that a partner who is silent
-- holds up nobody else. The gauges name all of them. A queue shows in `refreshes` that a worker takes its jobs.

CREATE OR REPLACE FUNCTION service_state() RETURNS TABLE (name text, label text, value double precision, words text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    queues CONSTANT text[] := ARRAY['quick', 'mail', 'long', 'payments', 'outward', 'timers'];
BEGIN
    RETURN QUERY
    SELECT 'jobs_waiting', q.name, count(j.id)::double precision, 'Jobs that are due and wait, by queue.'
    FROM unnest(queues) AS q (name)
    LEFT JOIN jobs.procrastinate_jobs AS j
        ON j.queue_name = q.name AND j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= now())
    GROUP BY q.name;
    RETURN QUERY
    SELECT
        'jobs_oldest_seconds', q.name,
        coalesce(extract(EPOCH FROM now() - min(e.at)), 0)::double precision, 'Age of the oldest job that waits, by queue.'
    FROM unnest(queues) AS q (name)
    LEFT JOIN jobs.procrastinate_jobs AS j
        ON j.queue_name = q.name AND j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= now())
    LEFT JOIN jobs.procrastinate_events AS e ON e.job_id = j.id AND e.type = 'deferred'
    GROUP BY q.name;
    RETURN QUERY
    SELECT
        'queue_unserved_seconds', q.name,
        coalesce(extract(EPOCH FROM now() - r.refreshed_at), 'infinity')::double precision,
        'Time since a worker last showed that it takes jobs of the queue.'
    FROM unnest(queues) AS q (name)
    LEFT JOIN refreshes AS r ON r.name = 'queue ' || q.name;
    RETURN QUERY
    SELECT 'jobs_failed', '', count(*)::double precision, 'Jobs that were given up, not yet forgotten.'
    FROM jobs.procrastinate_jobs AS j
    WHERE j.status = 'failed';
    RETURN QUERY
    SELECT
        'workers_alive', '', count(*)::double precision, 'Workers heard of in the last half minute.'
    FROM jobs.procrastinate_workers AS w
    WHERE w.last_heartbeat > now() - interval '30 seconds';
    RETURN QUERY
    SELECT 'imports_running', s.state, count(i.id)::double precision, 'Imports, by state.'
    FROM (VALUES ('queued'), ('reading'), ('applying')) AS s (state)
    LEFT JOIN imports AS i ON i.state = s.state
    GROUP BY s.state;
    RETURN QUERY
    SELECT
        'import_rows', r.what, coalesce(sum(r.rows), 0)::double precision, 'Rows of the imports that run, by what became of them.'
    FROM (
        SELECT v.what, v.rows
        FROM imports AS i
        CROSS JOIN LATERAL (VALUES
            ('total', i.rows_total), ('read', i.rows_read), ('created', i.rows_created), ('bad', i.rows_bad)
        ) AS v (what, rows)
        WHERE i.state IN ('reading', 'applying')
    ) AS r
    GROUP BY r.what;
    RETURN QUERY
    SELECT
        'feed_lag_seconds', '',
        coalesce(extract(EPOCH FROM now() - min(c.waiting_since)), 0)::double precision,
        'Age of the oldest change the feed cannot tell of yet.'
    FROM changes AS c
    WHERE c.type IN ('product', 'store', 'category', 'brand') AND c.xid >= pg_snapshot_xmin(pg_current_snapshot());
END
$$;
COMMENT ON COLUMN refreshes.name IS 'What it keeps: low_stock; or `queue NAME`: that it takes jobs of a queue.';
