-- Parcels arrive, and the order is completed: then the money is the store's.

-- Cash that the platform's courier has is known from an admin or a job alone: what is said here makes the platform owe
-- it to the store.
CREATE FUNCTION deliver_shipment(of_order bigint, of_shipment bigint, how text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    o orders;
    s shipments;
    n integer;
    last boolean;
    acts text;
BEGIN
    PERFORM
    FROM checkouts AS c
    JOIN orders AS x ON x.checkout_id = c.id
    WHERE x.id = of_order AND x.cod
    FOR NO KEY UPDATE OF c;
    SELECT * INTO o FROM orders AS x WHERE x.id = of_order FOR NO KEY UPDATE;
    acts := order_actor(o.buyer_id, o.store_id);
    IF o.id IS NULL OR acts = 'nobody' THEN
        RETURN NULL;
    END IF;
    SELECT * INTO s FROM shipments AS x WHERE x.order_id = of_order AND x.id = of_shipment FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    ELSIF s.state = 'delivered' THEN
        RETURN 'already';
    ELSIF how = 'assumed' AND (
        acts <> 'system'
        OR NOT coalesce(o.deliver_by <= now(), false)
        OR o.open_request IS NOT NULL
        OR EXISTS (SELECT FROM stores AS t WHERE t.id = o.store_id AND t.state = 'suspended')
    ) THEN
        RETURN 'not_due';
    ELSIF s.state <> 'shipped' OR (o.cod AND how = 'assumed') THEN
        RAISE EXCEPTION 'parcel % is %', of_shipment, s.state
        USING ERRCODE = '23514', TABLE = 'orders', CONSTRAINT = 'orders_transition';
    ELSIF o.cod AND o.cod_collector = 'platform' AND acts NOT IN ('admin', 'system') THEN
        RAISE EXCEPTION 'the courier says so'
        USING ERRCODE = '23514', TABLE = 'orders', CONSTRAINT = 'orders_cod_cash';
    END IF;
    UPDATE shipments AS x
    SET state = 'delivered', outcome = how, delivered_at = now(), version = x.version + 1, updated_at = now()
    WHERE x.order_id = of_order AND x.id = of_shipment;
    UPDATE order_lines AS l
    SET delivered = l.delivered + p.quantity
    FROM shipment_lines AS p
    WHERE p.order_id = of_order AND p.shipment_id = of_shipment AND l.order_id = of_order AND l.id = p.line_id;
    SELECT sum(p.quantity)
    INTO n
    FROM shipment_lines AS p
    WHERE p.order_id = of_order AND p.shipment_id = of_shipment;
    last := o.units_delivered + o.units_undelivered + o.units_cancelled + n = o.units;
    -- a store's own word gives its buyer more time to say no
    UPDATE orders AS x
    SET
        units_delivered = x.units_delivered + n,
        complete_at = CASE
            WHEN last THEN now() + CASE acts WHEN 'seller' THEN interval '7 days' ELSE interval '3 days' END
            ELSE x.complete_at
        END,
        paid = CASE WHEN x.cod AND last THEN x.total - x.cancelled_total ELSE x.paid END,
        version = x.version + 1,
        updated_at = now()
    WHERE x.id = of_order
    RETURNING *
    INTO o;
    IF o.cod AND last THEN
        PERFORM post_entry(
            'cod_collected', 'order ' || o.id, o.id,
            ARRAY[CASE o.cod_collector WHEN 'store' THEN 'payable' ELSE 'cod_receivable' END, 'escrow'],
            ARRAY[CASE o.cod_collector WHEN 'store' THEN o.store_id END, NULL],
            ARRAY[o.paid, -o.paid]
        );
    END IF;
    RETURN 'delivered';
END
$$;
COMMENT ON FUNCTION deliver_shipment IS
'A parcel arrived, or counts as arrived (how: assumed, by a timer, never where it is paid at the door): delivered, '
'already, not_due; NULL: not the caller''s.';

CREATE FUNCTION complete_order(of_order bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    o orders;
    held numeric;
    fee numeric;
    fee_tax numeric;
BEGIN
    PERFORM
    FROM checkouts AS c
    JOIN orders AS x ON x.checkout_id = c.id
    WHERE x.id = of_order
    FOR NO KEY UPDATE OF c;
    SELECT * INTO o FROM orders AS x WHERE x.id = of_order FOR NO KEY UPDATE;
    IF o.id IS NULL OR order_actor(o.buyer_id, o.store_id) NOT IN ('buyer', 'admin', 'system') THEN
        RETURN NULL;
    ELSIF o.state = 'completed' THEN
        RETURN 'already';
    ELSIF is_system() AND (
        o.complete_at > now()
        OR EXISTS (SELECT FROM stores AS t WHERE t.id = o.store_id AND t.state = 'suspended')
    ) THEN
        RETURN 'not_due';
    ELSIF o.open_request IS NOT NULL THEN
        RAISE EXCEPTION 'something is asked about order %', of_order
        USING ERRCODE = '23514', TABLE = 'orders', CONSTRAINT = 'orders_request_open';
    ELSIF o.stage <> 'delivered' THEN
        RAISE EXCEPTION 'order % is %', of_order, o.stage
        USING ERRCODE = '23514', TABLE = 'orders', CONSTRAINT = 'orders_transition';
    END IF;
    UPDATE orders AS x
    SET
        state = 'completed',
        complete_at = NULL,
        completed_at = now(),
        version = x.version + 1,
        updated_at = now()
    WHERE x.id = of_order;
    held := o.paid + o.subsidy_total - o.subsidy_returned - o.refund_total;
    -- Of the frozen commission the part of pieces that went, with a refund or without one, goes off.
    SELECT
        coalesce(sum(l.commission - round_money(l.commission * k.gone / l.quantity, o.currency)), 0),
        coalesce(sum(l.commission_tax - round_money(l.commission_tax * k.gone / l.quantity, o.currency)), 0)
    INTO fee, fee_tax
    FROM order_lines AS l
    CROSS JOIN LATERAL (
        SELECT l.forgone + coalesce(sum(r.quantity), 0) AS gone
        FROM refund_lines AS r
        WHERE r.order_id = l.order_id AND r.line_id = l.id
    ) AS k
    WHERE l.order_id = of_order;
    PERFORM post_entry(
        'sale', 'order ' || o.id, o.id,
        ARRAY['escrow', 'payable', 'commission', 'commission_tax'],
        ARRAY[NULL, o.store_id, NULL, NULL],
        ARRAY[held, -(held - fee - fee_tax), -fee, -fee_tax]
    );
    RETURN 'completed';
END
$$;
COMMENT ON FUNCTION complete_order IS
'Ends an order that has arrived; its money is the store''s from then on: completed, already, not_due (the timer); NULL: '
'not the caller''s.';

-- As far as nothing is left to send, the order is completed too.
CREATE FUNCTION confirm_received(of_order bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    o orders;
    of_shipment bigint;
BEGIN
    PERFORM
    FROM checkouts AS c
    JOIN orders AS x ON x.checkout_id = c.id
    WHERE x.id = of_order
    FOR NO KEY UPDATE OF c;
    SELECT * INTO o FROM orders AS x WHERE x.id = of_order FOR NO KEY UPDATE;
    IF o.id IS NULL OR order_actor(o.buyer_id, o.store_id) NOT IN ('buyer', 'admin') THEN
        RETURN NULL;
    ELSIF o.stage = 'completed' THEN
        RETURN 'already';
    END IF;
    FOR of_shipment IN
        SELECT s.id FROM shipments AS s WHERE s.order_id = of_order AND s.state = 'shipped' ORDER BY s.id
    LOOP
        PERFORM deliver_shipment(of_order, of_shipment);
    END LOOP;
    IF (SELECT x.stage FROM orders AS x WHERE x.id = of_order) = 'delivered' THEN
        RETURN complete_order(of_order);
    ELSIF o.stage IN ('shipping', 'to_ship') AND o.units_shipped > 0 THEN
        RETURN 'delivered';
    END IF;
    RAISE EXCEPTION 'order % is %', of_order, o.stage
    USING ERRCODE = '23514', TABLE = 'orders', CONSTRAINT = 'orders_transition';
END
$$;
COMMENT ON FUNCTION confirm_received IS
'The buyer has all that was on its way: delivered, completed where nothing is left to send, already; NULL: not the '
'caller''s.';

CREATE FUNCTION set_tracking(
    of_order bigint,
    of_shipment bigint,
    by_courier text,
    its_service text,
    tracking text
)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    o orders;
BEGIN
    SELECT * INTO o FROM orders AS x WHERE x.id = of_order FOR NO KEY UPDATE;
    IF o.id IS NULL OR order_actor(o.buyer_id, o.store_id) NOT IN ('seller', 'admin') THEN
        RETURN NULL;
    END IF;
    UPDATE shipments AS s
    SET
        courier = by_courier,
        service = its_service,
        tracking_number = tracking,
        version = s.version + 1,
        updated_at = now()
    WHERE s.order_id = of_order AND s.id = of_shipment AND s.state = 'shipped';
    RETURN CASE WHEN FOUND THEN 'done' END;
END
$$;
COMMENT ON FUNCTION set_tracking IS
'Mends courier, service and number of a parcel until it has ended: done; NULL: it has, or is not the caller''s.';

REVOKE ALL ON FUNCTION deliver_shipment, complete_order, confirm_received, set_tracking FROM PUBLIC;
GRANT EXECUTE ON FUNCTION deliver_shipment, complete_order TO marketplace_app, marketplace_worker;
GRANT EXECUTE ON FUNCTION confirm_received, set_tracking TO marketplace_app;
