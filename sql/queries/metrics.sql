-- The values that operators watch.

-- name: state
-- Gauges of the service have at most one label, `of`.
SELECT
    s.name, CASE s.label WHEN '' THEN '{}' ELSE jsonb_build_object('of', s.label) END AS labels, s.value, s.words
FROM service_state() AS s
UNION ALL
SELECT t.name, t.labels, t.value, t.words
FROM trade_state() AS t
UNION ALL
SELECT p.name, p.labels, p.value, p.words
FROM provider_state() AS p;

-- name: add_calls
-- What this process has called since it last said so is added to what all have.
INSERT INTO gauges AS g (name, label, value, measured_at)
SELECT c.name, c.label, c.value, clock_timestamp()
FROM unnest(%(names)s::text[], %(labels)s::text[], %(values)s::float8[]) AS c (name, label, value)
ORDER BY c.name, c.label
ON CONFLICT (name, label) DO UPDATE
    SET value = g.value + excluded.value, measured_at = excluded.measured_at;

-- name: count
-- What takes a look at all orders: too much for every scrape. For the worker.
INSERT INTO gauges AS g (name, label, value, measured_at)
SELECT c.name, c.label, c.value, clock_timestamp()
FROM (
    SELECT 'orders' AS name, s.stage AS label, coalesce(n.orders, 0) AS value
    FROM unnest(ARRAY['unpaid', 'new', 'to_ship', 'shipping', 'delivered', 'completed', 'cancelled']) AS s (stage)
    LEFT JOIN (SELECT o.stage, count(*) AS orders FROM orders AS o GROUP BY o.stage) AS n ON n.stage = s.stage
    UNION ALL
    SELECT 'checkouts_total', s.state, coalesce(n.checkouts, 0)
    FROM unnest(ARRAY['unpaid', 'settled', 'cancelled']) AS s (state)
    LEFT JOIN (SELECT c.state, count(*) AS checkouts FROM checkouts AS c GROUP BY c.state) AS n ON n.state = s.state
    UNION ALL
    SELECT 'holds_lapsed', '', count(*)
    FROM holds AS h
    WHERE h.expires_at < now()
) AS c
ON CONFLICT (name, label) DO UPDATE
    SET value = excluded.value, measured_at = excluded.measured_at;
