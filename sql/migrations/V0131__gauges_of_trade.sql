-- What operators watch of orders and money. What a partial index counts in a moment is counted when it is asked for;
-- what needs a look at all orders, and the nightly proof, the worker keeps in `gauges`.

CREATE TABLE gauges (
    name text NOT NULL,
    label text NOT NULL DEFAULT '',
    value double precision NOT NULL,
    measured_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT gauges_pkey PRIMARY KEY (name, label)
);
COMMENT ON TABLE gauges IS 'Values for /metrics that are too dear to be counted at every scrape; written by the worker.';
COMMENT ON COLUMN gauges.name IS 'The metric, without its prefix: orders, checkouts_total, holds_lapsed, invariants_broken.';
COMMENT ON COLUMN gauges.label IS 'Of what: a stage, an outcome, an invariant.';
COMMENT ON COLUMN gauges.value IS 'How many.';
COMMENT ON COLUMN gauges.measured_at IS 'When they were counted.';
ALTER TABLE gauges ENABLE ROW LEVEL SECURITY;
CREATE POLICY gauges_worker ON gauges TO marketplace_worker USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON gauges TO marketplace_worker;

CREATE FUNCTION trade_state() RETURNS TABLE (name text, labels jsonb, value double precision, words text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT
        g.name,
        CASE k.label WHEN '' THEN '{}' ELSE jsonb_build_object(k.label, g.label) END,
        g.value, k.words
    FROM (VALUES
        ('orders', 'stage', 'Orders, by stage; counted every five minutes.'),
        ('checkouts_total', 'outcome', 'Checkouts, by what became of them; counted every five minutes.'),
        ('holds_lapsed', '', 'Holds whose time is over and that nobody has taken; counted every five minutes.'),
        ('invariants_broken', 'name', 'Rows that an invariant of trade found at fault, in the last proof.')
    ) AS k (name, label, words)
    JOIN gauges AS g ON g.name = k.name;
    RETURN QUERY
    SELECT
        'invariants_checked_seconds', '{}'::jsonb, extract(EPOCH FROM now() - min(g.measured_at))::double precision,
        'Time since the last proof of the invariants.'
    FROM gauges AS g
    WHERE g.name = 'invariants_broken'
    HAVING count(*) > 0;
    RETURN QUERY
    SELECT
        'payments_open', jsonb_build_object('method', p.method, 'age', a.age), count(*)::double precision,
        'Payments that wait for money, by method and by how long.'
    FROM payments AS p
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN p.created_at > now() - interval '10 minutes' THEN '10 minutes'
            WHEN p.created_at > now() - interval '1 hour' THEN 'hour'
            WHEN p.created_at > now() - interval '1 day' THEN 'day'
            ELSE 'longer'
        END AS age
    ) AS a
    WHERE p.state IN ('opening', 'open')
    GROUP BY p.method, a.age;
    RETURN QUERY
    SELECT 'payments_checking', '{}'::jsonb, count(*)::double precision, 'Proofs of payment that wait for somebody.'
    FROM payments AS p
    WHERE p.state = 'checking';
    RETURN QUERY
    SELECT c.name, '{}'::jsonb, c.value, c.words
    FROM (
        SELECT count(*) AS waiting, coalesce(extract(EPOCH FROM now() - min(p.updated_at)), 0) AS seconds
        FROM payments AS p
        WHERE (p.problem IS NOT NULL OR p.reversed IS NOT NULL) AND p.settled_by IS NULL
    ) AS b
    CROSS JOIN LATERAL (VALUES
        ('payment_problems', b.waiting::double precision, 'Payments with a problem that nobody has closed.'),
        ('payment_problem_seconds', b.seconds::double precision, 'Age of the oldest problem that nobody has closed.')
    ) AS c (name, value, words);
    RETURN QUERY
    SELECT
        'refunds_waiting', jsonb_build_object('way', r.way, 'state', r.state), count(*)::double precision,
        'Refunds that are not done, by way and state.'
    FROM (
        SELECT p.way, p.state FROM refunds AS p WHERE p.way = 'provider' AND p.state IN ('due', 'sending', 'sent')
        UNION ALL
        SELECT h.way, h.state FROM refunds AS h WHERE h.state IN ('due', 'needs_bank') AND h.way <> 'provider'
    ) AS r
    GROUP BY r.way, r.state;
    RETURN QUERY
    SELECT
        'refund_sending_seconds', '{}'::jsonb,
        coalesce(extract(EPOCH FROM now() - min(r.updated_at)), 0)::double precision,
        'Age of the oldest refund that is being sent.'
    FROM refunds AS r
    WHERE r.way = 'provider' AND r.state = 'sending';
    RETURN QUERY
    SELECT
        c.name, '{}'::jsonb, c.value, c.words
    FROM (
        SELECT count(*) AS waiting, coalesce(extract(EPOCH FROM now() - min(x.received_at)), 0) AS seconds
        FROM provider_callbacks AS x
        WHERE x.applied_at IS NULL
    ) AS b
    CROSS JOIN LATERAL (VALUES
        ('callbacks_unapplied', b.waiting::double precision, 'Callbacks of providers that were not applied.'),
        ('callbacks_oldest_seconds', b.seconds::double precision, 'Age of the oldest callback that was not applied.')
    ) AS c (name, value, words);
    RETURN QUERY
    SELECT
        'events_behind_seconds', jsonb_build_object('reader', c.name),
        coalesce(extract(EPOCH FROM now() - n.created_at), 0)::double precision,
        'Age of the oldest event that a reader was not told of.'
    FROM event_cursors AS c
    LEFT JOIN LATERAL (
        SELECT e.created_at
        FROM events AS e
        WHERE (e.xid, e.id) > (c.xid, c.event_id) AND e.id > c.after_id
        ORDER BY e.xid, e.id
        LIMIT 1
    ) AS n ON true;
    RETURN QUERY
    SELECT
        'cod_overdue', '{}'::jsonb, count(*)::double precision, 'Orders paid in cash that should have arrived.'
    FROM orders AS o
    WHERE o.stage = 'shipping' AND o.deliver_by < now() AND o.cod;
END
$$;
COMMENT ON FUNCTION trade_state IS 'Gauges for /metrics: orders, payments, refunds, events, the proof of the invariants.';
REVOKE ALL ON FUNCTION trade_state FROM PUBLIC;
GRANT EXECUTE ON FUNCTION trade_state TO marketplace_app;
