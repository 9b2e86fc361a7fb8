-- Parcels that did not arrive: refused and undeliverable come back, lost ones do not. All of an order that way is a
-- cancelled order.

-- Pieces that were settled as missing before their parcel was given up, by a refund of pieces or by a sum that an admin
-- decided, are not paid for again: of each line, how many are owed still, and how many a sum has settled.
CREATE FUNCTION still_owed(of_order bigint, line_ids bigint[], pieces integer[], OUT owed integer[], OUT settled integer[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT
        array_agg(p.n - c.n ORDER BY p.id),
        array_agg(least(c.n, greatest(m.by_sum - l.forgone, 0))::integer ORDER BY p.id)
    FROM unnest(line_ids, pieces) AS p (id, n)
    JOIN order_lines AS l ON l.order_id = of_order AND l.id = p.id
    CROSS JOIN LATERAL (
        SELECT
            (
                SELECT coalesce(sum(x.quantity), 0)
                FROM refund_lines AS x
                JOIN refunds AS f ON f.id = x.refund_id
                LEFT JOIN order_requests AS r ON r.order_id = of_order AND r.id = f.request_id
                WHERE x.order_id = of_order
                    AND x.line_id = p.id
                    AND (f.reason = 'undelivered' OR r.reason = 'missing')
            ) AS by_pieces,
            (
                SELECT coalesce(sum(x.quantity), 0)
                FROM order_request_lines AS x
                JOIN order_requests AS r ON r.order_id = of_order AND r.id = x.request_id
                WHERE x.order_id = of_order
                    AND x.line_id = p.id
                    AND r.reason = 'missing'
                    AND r.state = 'done'
                    AND r.decided_by IS NOT NULL
                    AND NOT EXISTS (
                        SELECT
                        FROM refund_lines AS y
                        JOIN refunds AS f ON f.id = y.refund_id
                        WHERE f.request_id = r.id AND f.order_id = of_order
                    )
            ) AS by_sum
    ) AS m
    CROSS JOIN LATERAL (
        SELECT least(p.n, greatest(m.by_pieces + m.by_sum - l.undelivered, 0))::integer AS n
    ) AS c
$$;
COMMENT ON FUNCTION still_owed IS
'Of pieces of a parcel that did not arrive, how many are to be paid back, and how many a sum has settled. Granted to '
'nobody.';

-- What is asked for as missing is answered by the parcel: all of it, or as much as was in it. Answers the request that
-- has ended so.
CREATE FUNCTION answer_missing(of_order bigint, line_ids bigint[], pieces integer[], paid_back bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    asked bigint;
BEGIN
    SELECT r.id
    INTO asked
    FROM order_requests AS r
    WHERE r.order_id = of_order AND r.reason = 'missing' AND r.state IN ('open', 'approved') AND NOT r.disputed
    FOR NO KEY UPDATE;
    IF EXISTS (
        SELECT
        FROM order_request_lines AS x
        LEFT JOIN unnest(line_ids, pieces) AS p (id, n) ON p.id = x.line_id
        WHERE x.order_id = of_order AND x.request_id = asked AND x.quantity > coalesce(p.n, 0)
    ) THEN
        DELETE FROM order_request_lines AS x
        USING unnest(line_ids, pieces) AS p (id, n)
        WHERE x.order_id = of_order AND x.request_id = asked AND x.line_id = p.id AND x.quantity <= p.n;
        UPDATE order_request_lines AS x
        SET quantity = x.quantity - p.n
        FROM unnest(line_ids, pieces) AS p (id, n)
        WHERE x.order_id = of_order AND x.request_id = asked AND x.line_id = p.id;
        RETURN NULL;
    END IF;
    UPDATE order_requests AS r
    SET
        state = 'done',
        bearer = 'store',
        refund_id = paid_back,
        deadline_at = NULL,
        version = r.version + 1,
        updated_at = now()
    WHERE r.order_id = of_order AND r.id = asked;
    RETURN asked;
END
$$;
COMMENT ON FUNCTION answer_missing IS
'Ends a return for missing pieces that a parcel answers, or takes its pieces out of it; the return that ended. Granted '
'to nobody.';

CREATE FUNCTION return_shipment(of_order bigint, of_shipment bigint, why text, sellable boolean) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    ck bigint;
    o orders;
    s shipments;
    acts text;
    worth numeric;
    line_ids bigint[];
    pieces integer[];
    products bigint[];
    variants bigint[];
    owed integer[];
    settled integer[];
    paid_back bigint;
    asked bigint;
    n integer;
BEGIN
    SELECT x.checkout_id INTO ck FROM orders AS x WHERE x.id = of_order;
    PERFORM FROM checkouts AS c WHERE c.id = ck FOR NO KEY UPDATE;
    PERFORM FROM payments AS p WHERE p.checkout_id = ck ORDER BY p.id FOR NO KEY UPDATE;
    SELECT * INTO o FROM orders AS x WHERE x.id = of_order FOR NO KEY UPDATE;
    acts := order_actor(o.buyer_id, o.store_id);
    IF o.id IS NULL
        OR acts NOT IN ('seller', 'admin', 'system')
        OR coalesce(why NOT IN ('refused', 'undeliverable', 'lost'), true) THEN
        RETURN NULL;
    END IF;
    SELECT * INTO s FROM shipments AS x WHERE x.order_id = of_order AND x.id = of_shipment FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    ELSIF s.state IN ('returned', 'lost') THEN
        RETURN 'already';
    ELSIF s.state <> 'shipped' THEN
        RAISE EXCEPTION 'parcel % is %', of_shipment, s.state
        USING ERRCODE = '23514', TABLE = 'orders', CONSTRAINT = 'orders_transition';
    END IF;
    SELECT
        array_agg(p.line_id ORDER BY p.line_id),
        array_agg(p.quantity ORDER BY p.line_id),
        array_agg(l.product_id ORDER BY p.line_id),
        array_agg(l.variant_id ORDER BY p.line_id),
        sum(p.quantity)
    INTO line_ids, pieces, products, variants, n
    FROM shipment_lines AS p
    JOIN order_lines AS l ON l.order_id = p.order_id AND l.id = p.line_id
    WHERE p.order_id = of_order AND p.shipment_id = of_shipment;
    UPDATE shipments AS x
    SET
        state = CASE why WHEN 'lost' THEN 'lost' ELSE 'returned' END,
        outcome = why,
        ended_at = now(),
        version = x.version + 1,
        updated_at = now()
    WHERE x.order_id = of_order AND x.id = of_shipment;
    worth := line_share(of_order, line_ids, pieces);
    IF o.units_undelivered + o.units_cancelled + n < o.units THEN
        IF NOT o.cod AND o.paid > 0 THEN
            SELECT f.owed, f.settled INTO owed, settled FROM still_owed(of_order, line_ids, pieces) AS f;
            PERFORM return_subsidy(of_order, line_ids, settled);
            paid_back := promise_refund(of_order, NULL, 'undelivered', line_ids, owed, 'store', NULL);
        ELSE
            PERFORM return_subsidy(of_order, line_ids, pieces);
        END IF;
        asked := answer_missing(of_order, line_ids, pieces, paid_back);
    END IF;
    UPDATE order_lines AS l
    SET undelivered = l.undelivered + p.n
    FROM unnest(line_ids, pieces) AS p (id, n)
    WHERE l.order_id = of_order AND l.id = p.id;
    UPDATE orders AS x
    SET
        units_undelivered = x.units_undelivered + n,
        cancelled_total = least(x.total, x.cancelled_total + worth),
        open_request = CASE WHEN asked IS NULL THEN x.open_request END,
        complete_at = CASE
            WHEN x.units_delivered > 0
                AND x.units_delivered + x.units_undelivered + x.units_cancelled + n = x.units
                THEN now() + interval '3 days'
            ELSE x.complete_at
        END,
        version = x.version + 1,
        updated_at = now()
    WHERE x.id = of_order;
    IF sellable AND why <> 'lost' THEN
        PERFORM return_stock(of_order, products, variants, pieces);
    END IF;
    IF o.units_undelivered + o.units_cancelled + n = o.units THEN
        PERFORM cancel_orders(ARRAY[of_order], why, acts);
        RETURN 'cancelled';
    END IF;
    RETURN 'returned';
END
$$;
COMMENT ON FUNCTION return_shipment IS
'A parcel was refused, undeliverable or lost: its pieces are paid back, and sellable ones are stock again: returned, '
'cancelled (nothing of the order is left), already; NULL: not the caller''s.';

REVOKE ALL ON FUNCTION still_owed, answer_missing, return_shipment FROM PUBLIC;
GRANT EXECUTE ON FUNCTION return_shipment TO marketplace_app, marketplace_worker;
