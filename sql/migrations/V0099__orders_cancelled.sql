-- What is cancelled. The checkout is locked first, then its payments, then orders by id, then stock.

-- A return that is open ends with its order.
CREATE FUNCTION cancel_orders(order_ids bigint[], why text, asked_by text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    of_checkout bigint;
    given record;
BEGIN
    why := coalesce(why, 'cancelled');
    UPDATE order_requests AS r
    SET
        state = 'done',
        decided_by = CASE WHEN r.disputed THEN coalesce(me(), 0) END,
        deadline_at = NULL,
        version = r.version + 1,
        updated_at = now()
    WHERE r.order_id = ANY(order_ids)
        AND (r.state IN ('open', 'approved', 'sent_back') OR (r.disputed AND r.decided_by IS NULL));
    PERFORM release_stock(order_ids);
    UPDATE order_lines AS l
    SET cancelled = l.quantity - l.shipped
    WHERE l.order_id = ANY(order_ids) AND l.cancelled + l.shipped < l.quantity;
    UPDATE orders AS o
    SET
        state = 'cancelled',
        units_cancelled = o.units - o.units_shipped,
        cancelled_total = o.total,
        cancel_reason = why,
        cancelled_by = asked_by,
        open_request = NULL,
        cancel_by = NULL,
        accept_at = NULL,
        ship_by = NULL,
        deliver_by = NULL,
        complete_at = NULL,
        version = o.version + 1,
        updated_at = now()
    WHERE o.id = ANY(order_ids) AND o.state <> 'cancelled';
    PERFORM refund_rest(order_ids, why);
    FOR of_checkout IN SELECT DISTINCT o.checkout_id FROM orders AS o WHERE o.id = ANY(order_ids) ORDER BY 1 LOOP
        UPDATE checkouts AS c
        SET
            state = CASE WHEN x.live THEN CASE WHEN x.waiting THEN 'unpaid' ELSE 'settled' END ELSE 'cancelled' END,
            cancelled_at = CASE WHEN NOT x.live THEN now() END,
            version = c.version + 1,
            updated_at = now()
        FROM (
            SELECT
                bool_or(o.state <> 'cancelled') AS live,
                bool_or(o.state <> 'cancelled' AND NOT o.settled) AS waiting
            FROM orders AS o
            WHERE o.checkout_id = of_checkout
        ) AS x
        WHERE c.id = of_checkout;
        IF NOT EXISTS (SELECT FROM orders AS o WHERE o.checkout_id = of_checkout AND o.state <> 'cancelled') THEN
            PERFORM give_vouchers_back(of_checkout);
        END IF;
    END LOOP;
    -- What the platform gave to a store for an order that did not come about. Last: it touches balances.
    FOR given IN
        SELECT r.order_id, r.store_id, sum(r.amount) AS much
        FROM refunds AS r
        WHERE r.order_id = ANY(order_ids) AND r.bearer = 'platform'
        GROUP BY 1, 2
        ORDER BY 2
    LOOP
        PERFORM post_entry(
            'dispute_back', 'order ' || given.order_id, given.order_id, ARRAY['payable', 'expense_dispute'],
            ARRAY[given.store_id, NULL], ARRAY[given.much, -given.much], why => why
        );
    END LOOP;
END
$$;
COMMENT ON FUNCTION cancel_orders IS
'Cancels orders whose checkout and payments the caller holds: stock, money and vouchers go back. Granted to nobody.';

-- What is unpaid moves as one: for its buyer, an admin, or the timer.
CREATE FUNCTION cancel_checkout(of_checkout bigint, why text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    c record;
    k record;
    ids bigint[];
BEGIN
    SELECT a.user_id, a.role INTO c FROM auth.caller() AS a;
    SELECT x.buyer_id, x.state, x.pay_by INTO k FROM checkouts AS x WHERE x.id = of_checkout FOR NO KEY UPDATE;
    IF NOT FOUND OR NOT (is_system() OR coalesce(c.user_id = k.buyer_id OR c.role = 'admin', false)) THEN
        RETURN NULL;
    ELSIF k.state <> 'unpaid' THEN
        RETURN CASE k.state WHEN 'cancelled' THEN 'already' ELSE k.state END;
    ELSIF is_system() AND k.pay_by > now() THEN
        RETURN 'not_due';
    END IF;
    PERFORM FROM payments AS p WHERE p.checkout_id = of_checkout ORDER BY p.id FOR NO KEY UPDATE;
    IF c.role IS DISTINCT FROM 'admin'
        AND EXISTS (SELECT FROM payments AS p WHERE p.checkout_id = of_checkout AND p.state = 'checking') THEN
        RETURN 'checking';
    END IF;
    UPDATE payments AS p
    SET
        state = CASE WHEN c.user_id IS NULL THEN 'expired' ELSE 'cancelled' END,
        poll_at = NULL,
        version = p.version + 1,
        updated_at = now()
    WHERE p.checkout_id = of_checkout AND p.state IN ('opening', 'open', 'checking');
    ids := ARRAY (
        SELECT o.id
        FROM orders AS o
        WHERE o.checkout_id = of_checkout AND o.state <> 'cancelled' AND NOT o.settled
        ORDER BY o.id
        FOR NO KEY UPDATE
    );
    PERFORM cancel_orders(
        ids, why, CASE WHEN c.user_id IS NULL THEN 'system' WHEN c.user_id = k.buyer_id THEN 'buyer' ELSE 'admin' END
    );
    RETURN 'cancelled';
END
$$;
COMMENT ON FUNCTION cancel_checkout IS
'Cancels what is unpaid of a checkout: cancelled, already, settled, checking (a proof is looked at), not_due (the '
'timer: there is more time since); NULL: not the caller''s.';

-- The holds stay lapsed.
CREATE FUNCTION put_off(of_checkout bigint) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    until timestamptz;
BEGIN
    IF is_system() THEN
        UPDATE checkouts AS c
        SET pay_by = now() + interval '10 minutes', version = c.version + 1, updated_at = now()
        WHERE c.id = of_checkout
            AND c.state = 'unpaid'
            AND c.pay_by < now()
            AND EXISTS (
                SELECT
                FROM payments AS p
                WHERE p.checkout_id = c.id
                    AND p.state IN ('opening', 'open')
                    AND p.expires_at > now() - interval '1 day'
            )
        RETURNING c.pay_by
        INTO until;
    END IF;
    RETURN until;
END
$$;
COMMENT ON FUNCTION put_off IS
'Gives a checkout ten minutes more where its provider was silent, for a day after its session has ended; until when, '
'NULL: it is cancelled.';

CREATE FUNCTION cancel_order(of_order bigint, why text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    ck bigint;
    o orders;
    acts text;
BEGIN
    SELECT x.checkout_id INTO ck FROM orders AS x WHERE x.id = of_order;
    PERFORM FROM checkouts AS c WHERE c.id = ck FOR NO KEY UPDATE;
    PERFORM FROM payments AS p WHERE p.checkout_id = ck ORDER BY p.id FOR NO KEY UPDATE;
    SELECT * INTO o FROM orders AS x WHERE x.id = of_order FOR NO KEY UPDATE;
    acts := order_actor(o.buyer_id, o.store_id);
    IF o.id IS NULL OR acts = 'nobody' THEN
        RETURN NULL;
    ELSIF o.state = 'cancelled' THEN
        RETURN 'already';
    ELSIF NOT o.settled THEN
        RAISE EXCEPTION 'what is unpaid is cancelled as its checkout'
        USING ERRCODE = '23514', TABLE = 'orders', CONSTRAINT = 'orders_unpaid_checkout';
    ELSIF o.state = 'completed' THEN
        RAISE EXCEPTION 'order % is completed', of_order
        USING ERRCODE = '23514', TABLE = 'orders', CONSTRAINT = 'orders_transition';
    ELSIF o.units_shipped <> o.units_undelivered THEN
        RAISE EXCEPTION 'order % is on its way', of_order
        USING ERRCODE = '23514', TABLE = 'orders', CONSTRAINT = 'orders_shipped';
    ELSIF acts = 'system'
        AND NOT coalesce(o.ship_by <= now(), false)
        AND NOT coalesce(o.open_request = 'cancel' AND o.cancel_by <= now(), false) THEN
        RETURN 'not_due';
    ELSIF acts = 'buyer' AND o.state = 'accepted' THEN
        IF o.open_request = 'cancel' THEN
            RETURN 'asked';
        END IF;
        UPDATE orders AS x
        SET
            open_request = 'cancel',
            cancel_asked_at = now(),
            cancel_by = now() + interval '48 hours',
            cancel_asked_reason = why,
            version = x.version + 1,
            updated_at = now()
        WHERE x.id = of_order;
        RETURN 'asked';
    END IF;
    PERFORM cancel_orders(
        ARRAY[of_order], coalesce(CASE WHEN o.open_request = 'cancel' THEN o.cancel_asked_reason END, why), acts
    );
    RETURN 'cancelled';
END
$$;
COMMENT ON FUNCTION cancel_order IS
'Cancels an order or, for a buyer whose store has accepted it, asks for that: cancelled, asked, already, not_due (the '
'timer: a no came before it); NULL: not the caller''s.';

CREATE FUNCTION refuse_cancel(of_order bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    o orders;
BEGIN
    SELECT * INTO o FROM orders AS x WHERE x.id = of_order FOR NO KEY UPDATE;
    IF o.id IS NULL OR order_actor(o.buyer_id, o.store_id) NOT IN ('seller', 'admin') THEN
        RETURN NULL;
    ELSIF o.open_request IS DISTINCT FROM 'cancel' THEN
        RETURN 'already';
    END IF;
    UPDATE orders AS x
    SET open_request = NULL, cancel_by = NULL, version = x.version + 1, updated_at = now()
    WHERE x.id = of_order;
    RETURN 'refused';
END
$$;
COMMENT ON FUNCTION refuse_cancel IS
'The store says no to a cancellation that was asked for: refused or already; NULL: not the caller''s.';

GRANT EXECUTE ON FUNCTION cancel_checkout, cancel_order, refuse_cancel TO marketplace_app;
GRANT EXECUTE ON FUNCTION cancel_checkout, cancel_order, put_off TO marketplace_worker;
