-- The store works on an order: it accepts, and says what of it will not come. Each verb locks first (what changes money
-- the checkout and its payments, then the order, then stock), does no harm when it comes twice, and answers what became
-- of it; NULL: not the caller's. Refusals are constraints with names.

-- Many at once: no stock moves.
CREATE FUNCTION accept_orders(order_ids bigint[]) RETURNS TABLE (order_id bigint, outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM orders AS o WHERE o.id = ANY(order_ids) ORDER BY o.id FOR NO KEY UPDATE;
    RETURN QUERY
    WITH judged AS (
        SELECT
            a.id,
            CASE
                WHEN o.id IS NULL OR order_actor(o.buyer_id, o.store_id) NOT IN ('seller', 'admin', 'system')
                    THEN 'not_found'
                WHEN o.stage = 'new' THEN 'done'
                WHEN o.state = 'accepted' THEN 'unchanged'
                ELSE 'order_state'
            END AS outcome
        FROM (SELECT DISTINCT x AS id FROM unnest(order_ids) AS x) AS a
        LEFT JOIN orders AS o ON o.id = a.id
    ),

    done AS (
        UPDATE orders AS o
        SET state = 'accepted', accept_at = NULL, version = o.version + 1, updated_at = now()
        FROM judged AS j
        WHERE j.outcome = 'done' AND o.id = j.id
    )

    SELECT j.id, j.outcome FROM judged AS j ORDER BY j.id;
END
$$;
COMMENT ON FUNCTION accept_orders IS
'The store accepts orders, or a timer does; a row each: done, unchanged, order_state or not_found.';

-- All of it, or all that was not lost, is cancel_order.
CREATE FUNCTION cancel_lines(of_order bigint, line_ids bigint[], pieces integer[], why text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    ck bigint;
    o orders;
    acts text;
    n CONSTANT integer := (SELECT sum(a) FROM unnest(pieces) AS a);
    worth numeric;
BEGIN
    SELECT x.checkout_id INTO ck FROM orders AS x WHERE x.id = of_order;
    PERFORM FROM checkouts AS c WHERE c.id = ck FOR NO KEY UPDATE;
    PERFORM FROM payments AS p WHERE p.checkout_id = ck ORDER BY p.id FOR NO KEY UPDATE;
    SELECT * INTO o FROM orders AS x WHERE x.id = of_order FOR NO KEY UPDATE;
    acts := order_actor(o.buyer_id, o.store_id);
    IF o.id IS NULL OR acts NOT IN ('seller', 'admin', 'system') THEN
        RETURN NULL;
    ELSIF o.stage NOT IN ('new', 'to_ship') THEN
        RAISE EXCEPTION 'order % is %', of_order, o.stage
        USING ERRCODE = '23514', TABLE = 'orders', CONSTRAINT = 'orders_transition';
    ELSIF acts = 'system' AND NOT coalesce(o.ship_by <= now(), false) THEN
        RETURN 'not_due';
    ELSIF n IS NULL OR EXISTS (
        SELECT
        FROM (
            SELECT a.id, sum(a.n) AS n, bool_and(coalesce(a.n > 0, false)) AS good
            FROM unnest(line_ids, pieces) AS a (id, n)
            GROUP BY 1
        ) AS a
        LEFT JOIN order_lines AS l ON l.order_id = of_order AND l.id = a.id
        WHERE NOT (a.good AND coalesce(a.n <= l.quantity - l.cancelled - l.shipped, false))
    ) THEN
        RAISE EXCEPTION 'no such line or pieces'
        USING ERRCODE = '23514', TABLE = 'order_lines', CONSTRAINT = 'order_lines_units_check';
    ELSIF o.units_cancelled + o.units_undelivered + n = o.units THEN
        RETURN cancel_order(of_order, why); -- nothing is left of it, nothing has arrived
    END IF;
    worth := line_share(of_order, line_ids, pieces);
    IF NOT o.cod AND o.paid > 0 THEN
        PERFORM promise_refund(of_order, NULL, 'lines', line_ids, pieces, 'store', NULL);
    ELSE
        PERFORM return_subsidy(of_order, line_ids, pieces);
    END IF;
    UPDATE order_lines AS l
    SET cancelled = l.cancelled + s.n
    FROM (SELECT a.id, sum(a.n)::integer AS n FROM unnest(line_ids, pieces) AS a (id, n) GROUP BY 1) AS s
    WHERE l.order_id = of_order AND l.id = s.id;
    UPDATE orders AS x
    SET
        units_cancelled = x.units_cancelled + n,
        cancelled_total = x.cancelled_total + worth,
        deliver_by = CASE
            WHEN x.units_shipped + x.units_cancelled + n = x.units THEN now() + interval '15 days'
            ELSE x.deliver_by
        END,
        -- the rest has arrived already
        complete_at = CASE
            WHEN x.units_delivered + x.units_undelivered + x.units_cancelled + n = x.units
                THEN now() + interval '3 days'
            ELSE x.complete_at
        END,
        version = x.version + 1,
        updated_at = now()
    WHERE x.id = of_order;
    PERFORM release_lines(
        of_order,
        array_agg(l.product_id ORDER BY s.i),
        array_agg(l.variant_id ORDER BY s.i),
        array_agg(s.n ORDER BY s.i)
    )
    FROM unnest(line_ids, pieces) WITH ORDINALITY AS s (id, n, i)
    JOIN order_lines AS l ON l.order_id = of_order AND l.id = s.id;
    RETURN 'cancelled';
END
$$;
COMMENT ON FUNCTION cancel_lines IS
'Pieces of an order that will not come: stock and money go back: cancelled, not_due (the timer), or what cancel_order '
'says where nothing is left; NULL: not the caller''s.';

REVOKE ALL ON FUNCTION accept_orders, cancel_lines FROM PUBLIC;
GRANT EXECUTE ON FUNCTION accept_orders, cancel_lines TO marketplace_app, marketplace_worker;
