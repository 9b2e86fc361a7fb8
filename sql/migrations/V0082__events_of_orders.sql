-- What happens to orders, payments and refunds is told: a statement trigger on each writes a row of events for each thing
-- that happened, in the order in which it did.

CREATE FUNCTION note_order_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    by_system boolean := is_system();
    who record;
BEGIN
    SELECT c.user_id, c.role, c.store_id INTO who FROM auth.caller() AS c;
    IF tg_op = 'INSERT' THEN
        INSERT INTO events (type, actor, user_id, order_id, checkout_id, store_id, buyer_id)
        SELECT
            e.type,
            acting_as(by_system, who.user_id, who.role, who.store_id, n.buyer_id, n.store_id),
            who.user_id, n.id, n.checkout_id, n.store_id, n.buyer_id
        FROM touched AS n
        CROSS JOIN LATERAL (VALUES
            (1, 'order.placed', true),
            (2, 'order.new', n.settled)
        ) AS e (place, type, happened)
        WHERE e.happened
        ORDER BY n.id, e.place;
        RETURN NULL;
    END IF;
    INSERT INTO events (type, actor, user_id, order_id, checkout_id, store_id, buyer_id, data)
    SELECT
        e.type,
        acting_as(by_system, who.user_id, who.role, who.store_id, n.buyer_id, n.store_id),
        who.user_id, n.id, n.checkout_id, n.store_id, n.buyer_id, e.data
    FROM touched AS n
    JOIN untouched AS o ON o.id = n.id
    CROSS JOIN LATERAL (VALUES
        (1, 'order.paid', n.paid > o.paid, jsonb_build_object('amount', (n.paid - o.paid)::text)),
        (2, 'order.new', n.settled AND NOT o.settled AND n.state <> 'cancelled', '{}'),
        (
            3, 'order.' || n.state, n.state <> o.state,
            CASE n.state
                WHEN 'cancelled' THEN jsonb_build_object('reason', n.cancel_reason, 'was', o.stage)
                ELSE '{}'
            END
        ),
        (
            4, 'order.shipped', n.units_shipped > o.units_shipped,
            jsonb_build_object('units', n.units_shipped - o.units_shipped)
        ),
        (
            5, 'order.delivered', n.units_delivered > o.units_delivered,
            jsonb_build_object('units', n.units_delivered - o.units_delivered)
        ),
        (
            6, 'order.undelivered', n.units_undelivered > o.units_undelivered,
            jsonb_build_object('units', n.units_undelivered - o.units_undelivered)
        ),
        (
            7, 'order.lines_cancelled', n.units_cancelled > o.units_cancelled AND n.state <> 'cancelled',
            jsonb_build_object('units', n.units_cancelled - o.units_cancelled)
        ),
        (
            8, 'order.refunded', n.refunded > o.refunded,
            jsonb_build_object('amount', (n.refunded - o.refunded)::text)
        ),
        (
            9, 'request.opened',
            n.open_request IS NOT NULL AND n.open_request IS DISTINCT FROM o.open_request,
            jsonb_build_object('kind', n.open_request)
        ),
        (
            10, 'request.closed', n.open_request IS NULL AND o.open_request IS NOT NULL,
            jsonb_build_object('kind', o.open_request)
        )
    ) AS e (place, type, happened, data)
    WHERE e.happened
    ORDER BY n.id, e.place;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_order_events IS 'Tells of orders that were placed or changed.';
REVOKE ALL ON FUNCTION note_order_events FROM PUBLIC;
CREATE TRIGGER note_insert AFTER INSERT ON orders
REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_order_events();
CREATE TRIGGER note_update AFTER UPDATE ON orders
REFERENCING OLD TABLE AS untouched NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_order_events();

CREATE FUNCTION note_payment_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    by_system boolean := is_system();
    who record;
BEGIN
    SELECT c.user_id, c.role, c.store_id INTO who FROM auth.caller() AS c;
    INSERT INTO events (type, actor, user_id, order_id, checkout_id, store_id, buyer_id, data)
    SELECT
        e.type,
        acting_as(by_system, who.user_id, who.role, who.store_id, n.buyer_id, n.store_id),
        who.user_id, n.order_id, n.checkout_id, n.store_id, n.buyer_id,
        jsonb_build_object('payment', n.id) || e.data
    FROM touched AS n
    JOIN untouched AS o ON o.id = n.id
    CROSS JOIN LATERAL (VALUES
        (1, 'payment.' || n.state, n.state <> o.state, '{}'::jsonb),
        (
            2, 'payment.problem', n.problem IS NOT NULL AND o.problem IS NULL,
            jsonb_build_object('problem', n.problem)
        ),
        (
            3, 'payment.problem', n.reversed IS NOT NULL AND o.reversed IS NULL,
            jsonb_build_object('problem', 'reversed', 'said', n.reversed)
        ),
        (
            4, 'payment.refused', n.refusal IS NOT NULL AND n.refusal IS DISTINCT FROM o.refusal,
            jsonb_build_object('reason', n.refusal)
        )
    ) AS e (place, type, happened, data)
    WHERE e.happened
    ORDER BY n.id, e.place;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_payment_events IS 'Tells of payments that changed.';
REVOKE ALL ON FUNCTION note_payment_events FROM PUBLIC;
CREATE TRIGGER note_update AFTER UPDATE ON payments
REFERENCING OLD TABLE AS untouched NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_payment_events();

CREATE FUNCTION note_refund_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    by_system boolean := is_system();
    who record;
BEGIN
    SELECT c.user_id, c.role, c.store_id INTO who FROM auth.caller() AS c;
    INSERT INTO events (type, actor, user_id, order_id, store_id, buyer_id, data)
    SELECT
        'refund.' || n.state,
        acting_as(by_system, who.user_id, who.role, who.store_id, n.buyer_id, n.store_id),
        who.user_id, n.order_id, n.store_id, n.buyer_id,
        jsonb_build_object('refund', n.id, 'amount', n.amount::text)
    FROM touched AS n
    ORDER BY n.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_refund_events IS 'Tells of refunds that were promised.';
REVOKE ALL ON FUNCTION note_refund_events FROM PUBLIC;
CREATE TRIGGER note_insert AFTER INSERT ON refunds
REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_refund_events();

CREATE FUNCTION note_refund_steps() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    by_system boolean := is_system();
    who record;
BEGIN
    SELECT c.user_id, c.role, c.store_id INTO who FROM auth.caller() AS c;
    INSERT INTO events (type, actor, user_id, order_id, store_id, buyer_id, data)
    SELECT
        'refund.' || n.state,
        acting_as(by_system, who.user_id, who.role, who.store_id, n.buyer_id, n.store_id),
        who.user_id, n.order_id, n.store_id, n.buyer_id,
        jsonb_build_object('refund', n.id, 'amount', n.amount::text)
    FROM touched AS n
    JOIN untouched AS o ON o.id = n.id
    WHERE n.state <> o.state AND n.state NOT IN ('sending', 'due')
    ORDER BY n.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_refund_steps IS 'Tells of refunds that went a step further.';
REVOKE ALL ON FUNCTION note_refund_steps FROM PUBLIC;
CREATE TRIGGER note_update AFTER UPDATE ON refunds
REFERENCING OLD TABLE AS untouched NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_refund_steps();
