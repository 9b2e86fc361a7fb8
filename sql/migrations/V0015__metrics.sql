-- What operators watch and only the owner of the tables may count: the queue, imports, how far the change feed is behind.

CREATE FUNCTION service_state() RETURNS TABLE (name text, label text, value double precision, words text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT 'jobs_waiting', q.name, count(j.id)::double precision, 'Jobs that are due and wait, by queue.'
    FROM (VALUES ('quick'), ('long')) AS q (name)
    LEFT JOIN jobs.procrastinate_jobs AS j
        ON j.queue_name = q.name AND j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= now())
    GROUP BY q.name;
    RETURN QUERY
    SELECT
        'jobs_oldest_seconds', q.name,
        coalesce(extract(EPOCH FROM now() - min(e.at)), 0)::double precision, 'Age of the oldest job that waits, by queue.'
    FROM (VALUES ('quick'), ('long')) AS q (name)
    LEFT JOIN jobs.procrastinate_jobs AS j
        ON j.queue_name = q.name AND j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= now())
    LEFT JOIN jobs.procrastinate_events AS e ON e.job_id = j.id AND e.type = 'deferred'
    GROUP BY q.name;
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
COMMENT ON FUNCTION service_state IS 'Gauges for /metrics: queue, workers, imports, change feed.';
REVOKE ALL ON FUNCTION service_state FROM PUBLIC;
GRANT EXECUTE ON FUNCTION service_state TO marketplace_app;
