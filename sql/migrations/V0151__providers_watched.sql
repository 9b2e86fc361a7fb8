-- What operators watch of payment providers: whether one is silent, how long its calls take, how days compare. Calls are
-- counted by the worker, which nobody scrapes, in gauges.

CREATE FUNCTION provider_state() RETURNS TABLE (name text, labels jsonb, value double precision, words text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT
        'provider_silent', jsonb_build_object('provider', s.provider),
        coalesce((s.silent_until > now())::integer, 0)::double precision,
        'Whether a payment provider is not asked, since it was silent.'
    FROM provider_states AS s
    UNION ALL
    SELECT
        'reconciliation_differences', jsonb_build_object('provider', r.provider),
        sum(jsonb_array_length(r.differences))::double precision,
        'Payments of the last seven days in which a provider''s list and ours differ.'
    FROM reconciliations AS r
    WHERE r.day > current_date - 8
    GROUP BY r.provider
    UNION ALL
    SELECT
        g.name,
        jsonb_build_object(
            'provider', split_part(g.label, ' ', 1), 'call', split_part(g.label, ' ', 2),
            'outcome', split_part(g.label, ' ', 3)
        ),
        g.value,
        CASE g.name
            WHEN 'provider_calls_total' THEN 'Calls of the worker to others, by outcome.'
            ELSE 'Seconds of calls of the worker to others, in all.'
        END
    FROM gauges AS g
    WHERE g.name IN ('provider_calls_total', 'provider_call_seconds_total')
$$;
COMMENT ON FUNCTION provider_state IS 'Gauges for /metrics: payment providers, and how days compare.';
GRANT EXECUTE ON FUNCTION provider_state TO marketplace_app;
