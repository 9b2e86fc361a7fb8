-- Returns: a buyer wants to give something back, or their money for what never came. The store answers, silence decides
-- after a while, and what the two cannot settle an admin decides.
--
-- Whether the pieces of a return are counted as returned stands on it: what an admin decides is a return like any other
-- where all of it is decided against the store and the pieces have been sent back, and money alone otherwise.

ALTER TABLE order_requests ADD COLUMN came_back boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN order_requests.came_back IS 'Whether its pieces are counted as returned.';

CREATE OR REPLACE VIEW invariants.returned_is_in_requests (id, detail) AS
SELECT l.order_id, l.id::text
FROM order_lines AS l
JOIN orders AS o ON o.id = l.order_id
LEFT JOIN (
    SELECT x.order_id, x.line_id, sum(x.quantity) AS pieces
    FROM order_request_lines AS x
    JOIN order_requests AS r ON r.order_id = x.order_id AND r.id = x.request_id
    WHERE r.state = 'done' AND r.came_back
    GROUP BY x.order_id, x.line_id
) AS back ON back.order_id = l.order_id AND back.line_id = l.id
WHERE o.state <> 'cancelled' AND l.returned <> coalesce(back.pieces, 0)
UNION ALL
SELECT r.order_id, 'return ' || r.state
FROM order_requests AS r
JOIN orders AS o ON o.id = r.order_id
WHERE (r.came_back AND (r.state <> 'done' OR r.keep_goods))
    OR (r.state = 'done' AND NOT r.came_back AND NOT r.keep_goods AND r.decided_by IS NULL AND o.state <> 'cancelled')
UNION ALL
SELECT r.order_id, 'refund'
FROM order_requests AS r
JOIN refunds AS f ON f.id = r.refund_id
WHERE f.order_id IS DISTINCT FROM r.order_id
    -- what was asked for as missing may be answered by its parcel
    OR NOT coalesce(f.request_id = r.id, f.reason = 'undelivered' AND r.reason = 'missing');

CREATE FUNCTION open_return(
    of_order bigint,
    why text,
    said text,
    uploaded text[],
    line_ids bigint[],
    pieces integer[],
    keep boolean
)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    o orders;
    new_id bigint;
    much numeric;
    fits boolean;
    here boolean;
    away boolean;
BEGIN
    PERFORM
    FROM checkouts AS c
    JOIN orders AS x ON x.checkout_id = c.id
    WHERE x.id = of_order AND x.buyer_id = me()
    FOR NO KEY UPDATE OF c;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT * INTO o FROM orders AS x WHERE x.id = of_order FOR NO KEY UPDATE;
    -- Each holds the store's money for days: three that came to nothing are enough.
    IF NOT coalesce(
        o.stage IN ('shipping', 'delivered')
        OR (o.stage = 'completed' AND o.completed_at > now() - interval '7 days'),
        false
    )
    OR o.paid <= o.refund_total
    OR (SELECT count(*) FROM order_requests AS r WHERE r.order_id = of_order AND r.state = 'withdrawn') >= 3 THEN
        RAISE EXCEPTION 'order % is %', of_order, o.stage
        USING ERRCODE = '23514', CONSTRAINT = 'order_requests_too_late', TABLE = 'order_requests';
    END IF;
    -- What has arrived is sent back, what has not need not be: never both in one.
    SELECT
        bool_and(coalesce(w.n >= 1 AND w.n <= l.quantity - l.returned - l.cancelled - l.undelivered, false)),
        bool_and(w.n <= l.delivered - l.returned),
        bool_and(w.n <= l.quantity - l.cancelled - l.undelivered - l.delivered),
        sum(
            round_money(
                (l.total + CASE WHEN o.tax_included THEN 0 ELSE l.tax END) * w.n / l.quantity, o.currency
            )
        )
    INTO fits, here, away, much
    FROM (SELECT a.id, sum(a.n) AS n FROM unnest(line_ids, pieces) AS a (id, n) GROUP BY a.id) AS w
    LEFT JOIN order_lines AS l ON l.order_id = of_order AND l.id = w.id;
    -- Of a line of which some have come and some have not, missing are those that have not.
    here := here AND NOT (why = 'missing' AND away);
    IF NOT coalesce(fits AND (here OR away), false) THEN
        RAISE EXCEPTION 'not so many pieces, or some have arrived and some have not'
        USING ERRCODE = '23514', CONSTRAINT = 'refund_lines_units', TABLE = 'order_request_lines';
    ELSIF NOT here AND EXISTS (
        SELECT
        FROM shipments AS s
        JOIN shipment_lines AS p
            ON p.order_id = s.order_id AND p.shipment_id = s.id AND p.line_id = ANY(line_ids)
        WHERE s.order_id = of_order
            AND s.state = 'shipped'
            AND s.shipped_at > now() - make_interval(days => coalesce((o.delivery ->> 'days_max')::integer, 7) + 2)
    ) THEN
        RAISE EXCEPTION 'it may still come'
        USING ERRCODE = '23514', CONSTRAINT = 'order_requests_too_early', TABLE = 'order_requests';
    ELSIF EXISTS (
        SELECT
        FROM order_requests AS r
        JOIN order_request_lines AS x ON x.order_id = r.order_id AND x.request_id = r.id
        WHERE r.order_id = of_order AND r.state = 'rejected' AND x.line_id = ANY(line_ids)
    ) THEN
        -- a no is disputed, not asked again
        RAISE EXCEPTION 'that was rejected'
        USING ERRCODE = '23514', CONSTRAINT = 'order_requests_step', TABLE = 'order_requests';
    ELSIF EXISTS (
        SELECT
        FROM unnest(uploaded) AS a (id)
        LEFT JOIN uploads AS u ON u.id::text = a.id AND u.user_id = me() AND u.purpose = 'request'
        WHERE u.id IS NULL
    ) THEN
        RAISE EXCEPTION 'no such upload'
        USING ERRCODE = '23503', CONSTRAINT = 'order_requests_upload', TABLE = 'order_requests';
    END IF;
    UPDATE uploads AS u SET used = true WHERE u.user_id = me() AND u.id::text = ANY(uploaded);
    -- order_requests_open_key: one at a time
    INSERT INTO order_requests (
        store_id, buyer_id, order_id, reason, message, images, amount, keep_goods, deadline_at
    )
    VALUES
        (
            o.store_id, o.buyer_id, of_order, why, said, coalesce(uploaded, '{}'), least(much, o.paid - o.refund_total),
            coalesce(keep, false) OR NOT here OR why = 'missing', now() + interval '72 hours'
        )
    RETURNING id
    INTO new_id;
    INSERT INTO order_request_lines (order_id, request_id, line_id, quantity)
    SELECT of_order, new_id, a.id, sum(a.n)
    FROM unnest(line_ids, pieces) AS a (id, n)
    GROUP BY a.id;
    UPDATE orders
    SET
        open_request = 'return',
        complete_at = CASE WHEN state = 'completed' THEN complete_at END,
        version = version + 1,
        updated_at = now()
    WHERE id = of_order;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION open_return IS
'A buyer asks to give pieces back, or for money of what never came: the return; NULL: not the caller''s order.';

-- Whether who acts may make this step of a return as it is.
CREATE FUNCTION may_move_return(r order_requests, o_state text, acts text, step text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT coalesce(
        CASE step
            WHEN 'approved' THEN acts IN ('seller', 'system') AND r.state = 'open' AND NOT r.disputed
            WHEN 'rejected' THEN acts = 'seller' AND r.state IN ('open', 'sent_back') AND NOT r.disputed
            -- the timer: nothing was sent back for 7 days
            WHEN 'withdrawn' THEN NOT r.disputed AND (
                (acts = 'buyer' AND r.state IN ('open', 'approved'))
                OR (acts = 'system' AND r.state = 'approved' AND NOT r.keep_goods)
            )
            WHEN 'sent_back'
                THEN acts = 'buyer' AND r.state = 'approved' AND NOT r.keep_goods AND NOT r.disputed
            WHEN 'done' THEN acts IN ('seller', 'system') AND NOT r.disputed AND (
                r.state = 'sent_back' OR (r.state = 'approved' AND r.keep_goods)
            )
            WHEN 'disputed' THEN acts IN ('buyer', 'seller') AND o_state <> 'cancelled' AND (
                r.state IN ('open', 'approved', 'sent_back')
                OR (r.state = 'rejected' AND r.decided_by IS NULL AND r.updated_at > now() - interval '7 days')
            )
            WHEN 'decided' THEN acts = 'admin' AND r.disputed AND r.decided_by IS NULL
        END,
        false
    )
$$;
COMMENT ON FUNCTION may_move_return IS 'Whether who acts may make this step of a return. Granted to nobody.';

-- What is given back for a return that is done, or that an admin has decided: the refund. All that was asked for,
-- decided against the store, is a return like any other: pieces, subsidy and commission go back with it.
CREATE FUNCTION pay_return(
    o orders,
    r order_requests,
    step text,
    whole boolean,
    restock boolean,
    much numeric,
    borne_by text
)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    lines bigint[];
    pieces integer[];
    products bigint[];
    variants bigint[];
    more numeric;
    paid_back bigint;
    extra bigint;
BEGIN
    SELECT
        array_agg(x.line_id ORDER BY x.line_id),
        array_agg(x.quantity ORDER BY x.line_id),
        array_agg(l.product_id ORDER BY x.line_id),
        array_agg(l.variant_id ORDER BY x.line_id)
    INTO lines, pieces, products, variants
    FROM order_request_lines AS x
    JOIN order_lines AS l ON l.order_id = x.order_id AND l.id = x.line_id
    WHERE x.order_id = o.id AND x.request_id = r.id;
    PERFORM FROM payments AS p WHERE p.id = o.payment_id FOR NO KEY UPDATE;
    IF whole AND r.state = 'sent_back' THEN
        UPDATE order_lines AS l
        SET returned = l.returned + w.n
        FROM unnest(lines, pieces) AS w (id, n)
        WHERE l.order_id = o.id AND l.id = w.id;
        UPDATE orders AS x
        SET units_returned = x.units_returned + (SELECT sum(a) FROM unnest(pieces) AS a)
        WHERE x.id = o.id;
        -- stock before the books: store_balances is the last lock
        IF restock THEN
            PERFORM return_stock(o.id, products, variants, pieces);
        END IF;
    END IF;
    IF whole THEN
        paid_back := promise_refund(o.id, NULL, 'return', lines, pieces, 'store', r.id);
    END IF;
    IF step = 'decided' THEN
        SELECT least(much - coalesce((SELECT f.amount FROM refunds AS f WHERE f.id = paid_back), 0), x.paid - x.refund_total)
        INTO more
        FROM orders AS x
        WHERE x.id = o.id;
        IF more > 0 OR NOT whole THEN
            extra := promise_refund(o.id, more, 'return', NULL, NULL, borne_by, r.id);
            paid_back := coalesce(paid_back, extra);
        END IF;
    END IF;
    RETURN paid_back;
END
$$;
COMMENT ON FUNCTION pay_return IS
'Counts and pays back what a return is about; the refund, NULL where nothing was left. Granted to nobody.';

CREATE FUNCTION move_return(
    of_order bigint,
    of_request bigint,
    step text,
    said text DEFAULT NULL,
    tracking text DEFAULT NULL,
    sellable boolean DEFAULT true,
    much numeric DEFAULT NULL,
    borne_by text DEFAULT 'store'
)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    o orders;
    r order_requests;
    acts text;
    whole boolean;
    paid_back bigint;
BEGIN
    PERFORM
    FROM checkouts AS c
    JOIN orders AS x ON x.checkout_id = c.id
    WHERE x.id = of_order
    FOR NO KEY UPDATE OF c;
    SELECT * INTO o FROM orders AS x WHERE x.id = of_order FOR NO KEY UPDATE;
    acts := order_actor(o.buyer_id, o.store_id);
    SELECT * INTO r FROM order_requests AS x WHERE x.order_id = of_order AND x.id = of_request FOR NO KEY UPDATE;
    IF r.id IS NULL OR acts = 'nobody' THEN
        RETURN NULL;
    END IF;
    -- the wish is already true
    IF r.state = step
        OR (step = 'disputed' AND r.disputed)
        OR (step = 'decided' AND r.decided_by IS NOT NULL AND acts = 'admin') THEN
        RETURN r.state;
    ELSIF acts = 'system' AND NOT coalesce(r.deadline_at <= now() AND NOT r.disputed, false) THEN
        RETURN 'not_due';
    ELSIF NOT may_move_return(r, o.state, acts, step) THEN
        RAISE EXCEPTION 'request % is %', of_request, r.state
        USING ERRCODE = '23514', CONSTRAINT = 'order_requests_step', TABLE = 'order_requests';
    ELSIF step = 'decided' AND NOT coalesce(much >= 0 AND borne_by IN ('store', 'platform'), false) THEN
        RAISE EXCEPTION 'no such decision'
        USING ERRCODE = '23514', CONSTRAINT = 'refunds_bearer_sum', TABLE = 'refunds';
    END IF;
    whole := step = 'done' OR (step = 'decided' AND much > 0 AND borne_by = 'store' AND much >= r.amount);
    IF whole OR (step = 'decided' AND much > 0) THEN
        -- by silence: nobody has seen the pieces
        paid_back := pay_return(o, r, step, whole, coalesce(sellable, false) AND acts <> 'system', much, borne_by);
    END IF;
    UPDATE order_requests AS x
    SET
        state = CASE step
            WHEN 'disputed' THEN x.state
            WHEN 'decided' THEN CASE WHEN much > 0 THEN 'done' ELSE 'rejected' END
            ELSE step
        END,
        disputed = x.disputed OR step = 'disputed',
        decided_by = CASE step WHEN 'decided' THEN me() END,
        bearer = CASE step WHEN 'done' THEN 'store' WHEN 'decided' THEN borne_by END,
        came_back = whole AND x.state = 'sent_back',
        keep_goods = x.keep_goods
            AND NOT (step = 'approved' AND acts = 'system' AND o.stage <> 'shipping' AND x.reason <> 'missing'),
        reply = CASE WHEN acts IN ('seller', 'admin') THEN coalesce(said, x.reply) ELSE x.reply END,
        tracking_number = coalesce(tracking, x.tracking_number),
        refund_id = coalesce(paid_back, x.refund_id),
        deadline_at = CASE step
            WHEN 'approved' THEN now() + interval '7 days'
            WHEN 'sent_back' THEN now() + interval '10 days'
        END,
        version = x.version + 1,
        updated_at = now()
    WHERE x.order_id = of_order AND x.id = of_request
    RETURNING x.*
    INTO r;
    UPDATE orders AS x
    SET
        open_request = CASE
            WHEN r.disputed AND r.decided_by IS NULL THEN 'dispute'
            WHEN r.state IN ('open', 'approved', 'sent_back') THEN 'return'
        END,
        complete_at = CASE
            WHEN x.state = 'accepted' AND x.stage = 'delivered' AND (
                r.state IN ('done', 'withdrawn')
                OR (r.state = 'rejected' AND (NOT r.disputed OR r.decided_by IS NOT NULL))
            ) THEN now() + interval '3 days'
            WHEN x.state = 'completed' THEN x.complete_at
        END,
        version = x.version + 1,
        updated_at = now()
    WHERE x.id = of_order;
    RETURN r.state;
END
$$;
COMMENT ON FUNCTION move_return IS
'One step of a return: approved, rejected or done (its store), sent_back or withdrawn (its buyer), disputed (either), '
'decided (an admin: much, borne_by), or what silence decides (the worker); its state, not_due (the timer); NULL: not the '
'caller''s.';

REVOKE ALL ON FUNCTION open_return, may_move_return, pay_return, move_return FROM PUBLIC;
GRANT EXECUTE ON FUNCTION open_return TO marketplace_app;
GRANT EXECUTE ON FUNCTION move_return TO marketplace_app, marketplace_worker;

-- Steps of a return that leave it open are told too; that it was opened or has ended the order tells.
CREATE FUNCTION note_return_steps() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    by_system boolean := is_system();
    who record;
BEGIN
    SELECT c.user_id, c.role, c.store_id INTO who FROM auth.caller() AS c;
    INSERT INTO events (type, actor, user_id, order_id, store_id, buyer_id, data)
    SELECT
        'request.' || n.state,
        acting_as(by_system, who.user_id, who.role, who.store_id, n.buyer_id, n.store_id),
        who.user_id, n.order_id, n.store_id, n.buyer_id,
        jsonb_build_object('request', n.id, 'kind', 'return')
    FROM touched AS n
    JOIN untouched AS o ON o.order_id = n.order_id AND o.id = n.id
    WHERE n.state <> o.state AND n.state IN ('approved', 'sent_back')
    ORDER BY n.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_return_steps IS 'Tells of returns that were approved or sent back.';
REVOKE ALL ON FUNCTION note_return_steps FROM PUBLIC;
CREATE TRIGGER note_update AFTER UPDATE ON order_requests
REFERENCING OLD TABLE AS untouched NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_return_steps();
