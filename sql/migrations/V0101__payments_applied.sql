-- Money that came, and transfers that somebody looks at. What comes too late, twice or wrong goes home, in the same
-- transaction.

CREATE FUNCTION apply_payment(
    of_payment bigint,
    told text,
    got numeric,
    got_currency text,
    its_fee numeric DEFAULT NULL
)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    p payments;
    ck bigint;
    account text;
    account_store bigint;
    account_provider text;
    wrong text;
    live bigint[];
    good bigint[];
    bad bigint[];
    bad_total numeric;
    surplus numeric;
    way text;
    outcome text;
    legs record;
BEGIN
    SELECT x.checkout_id INTO ck FROM payments AS x WHERE x.id = of_payment;
    IF NOT FOUND THEN
        RETURN 'unknown';
    END IF;
    PERFORM FROM checkouts AS c WHERE c.id = ck FOR NO KEY UPDATE;
    SELECT * INTO p FROM payments AS x WHERE x.id = of_payment FOR NO KEY UPDATE;
    account := payment_account(p.method);
    account_store := CASE account WHEN 'payable' THEN p.store_id END;
    account_provider := CASE account WHEN 'provider' THEN p.method END;
    IF p.state = 'paid' AND told IN ('failed', 'cancelled', 'charged_back', 'refunded') THEN
        -- for a person; nothing is moved
        UPDATE payments
        SET reversed = told, settled_by = NULL, version = version + 1, updated_at = now()
        WHERE id = of_payment AND reversed IS NULL;
        RETURN CASE WHEN FOUND THEN 'reversed' ELSE 'repeated' END;
    END IF;
    IF told IS DISTINCT FROM 'paid' THEN
        IF p.state NOT IN ('opening', 'open', 'checking') THEN
            RETURN p.state;
        END IF;
        UPDATE payments
        SET
            polled_at = now(),
            state = CASE WHEN told IN ('failed', 'expired', 'cancelled') THEN told ELSE p.state END,
            poll_at = CASE
                WHEN told IN ('failed', 'expired', 'cancelled') THEN NULL
                ELSE now() + least(interval '1 hour', greatest(interval '60 seconds', (now() - p.created_at) / 2))
            END,
            version = version + coalesce((told IN ('failed', 'expired', 'cancelled'))::integer, 0),
            updated_at = now()
        WHERE id = of_payment;
        RETURN CASE WHEN told IN ('failed', 'expired', 'cancelled') THEN told ELSE 'waiting' END;
    END IF;
    IF p.state = 'paid' THEN
        IF its_fee > 0 AND p.provider_fee IS NULL THEN
            UPDATE payments SET provider_fee = its_fee WHERE id = of_payment;
            PERFORM post_entry(
                'provider_fee', 'payment ' || of_payment, NULL, ARRAY['expense_fee', 'provider'], NULL,
                ARRAY[its_fee, -its_fee], ARRAY[NULL, p.method]
            );
        END IF;
        RETURN 'repeated';
    END IF;
    IF coalesce(got <= 0, true) THEN
        -- paid, but nothing came: to close it would turn away what comes later
        RAISE EXCEPTION 'payment % of %', of_payment, got
        USING ERRCODE = '23514', CONSTRAINT = 'payments_received_enough', TABLE = 'payments';
    END IF;
    wrong := CASE
        WHEN got_currency IS DISTINCT FROM p.currency THEN 'currency_mismatch'
        WHEN got < p.amount OR (got > p.amount AND account = 'provider') THEN 'amount_mismatch'
    END;
    PERFORM
    FROM orders AS o
    WHERE o.checkout_id = ck AND (p.order_id IS NULL OR o.id = p.order_id)
    ORDER BY o.id
    FOR NO KEY UPDATE;
    SELECT
        array_agg(o.id ORDER BY o.id) FILTER (WHERE o.state = 'placed' AND NOT o.settled),
        CASE WHEN bool_or(o.settled AND o.state <> 'cancelled') THEN 'twice' ELSE 'late' END
    INTO live, outcome
    FROM orders AS o
    WHERE o.checkout_id = ck AND (p.order_id IS NULL OR o.id = p.order_id);
    IF wrong IS NOT NULL THEN
        -- nothing is paid by it; what came is kept apart (another currency is not in the books at all), a
        -- person decides
        UPDATE payments
        SET
            state = 'paid',
            received = CASE wrong WHEN 'amount_mismatch' THEN got ELSE 0 END,
            problem = wrong,
            poll_at = NULL,
            version = version + 1,
            updated_at = now()
        WHERE id = of_payment;
        IF wrong = 'amount_mismatch' THEN
            PERFORM post_entry(
                'payment', 'payment ' || of_payment, NULL, ARRAY[account, 'unallocated'], ARRAY[account_store, NULL],
                ARRAY[got, -got], ARRAY[account_provider, NULL]
            );
        END IF;
        RETURN wrong;
    END IF;
    way := refund_way(p.method, p.channel);
    IF live IS NULL THEN
        -- nobody waits for it: all of it goes home
        UPDATE payments
        SET
            state = 'paid',
            received = got,
            refund_total = got,
            problem = outcome,
            poll_at = NULL,
            provider_fee = its_fee,
            version = version + 1,
            updated_at = now()
        WHERE id = of_payment;
        PERFORM post_entry(
            'payment', 'payment ' || of_payment, NULL, ARRAY[account, 'refund_due'], ARRAY[account_store, NULL],
            ARRAY[got, -got], ARRAY[account_provider, NULL]
        );
        INSERT INTO refunds (buyer_id, store_id, payment_id, amount, currency, reason, way, state)
        VALUES
            (
                p.buyer_id, p.store_id, of_payment, got, p.currency,
                CASE outcome WHEN 'twice' THEN 'twice' ELSE 'late_payment' END, way,
                CASE way WHEN 'bank' THEN 'needs_bank' ELSE 'due' END
            );
    ELSE
        good := settle_stock(live);
        bad := ARRAY (SELECT l FROM unnest(live) AS l WHERE l <> ALL(good));
        SELECT coalesce(sum(o.total), 0) INTO bad_total FROM orders AS o WHERE o.id = ANY(bad);
        surplus := got - p.amount;
        UPDATE payments
        SET
            state = 'paid',
            received = got,
            refund_total = bad_total + surplus,
            poll_at = NULL,
            refusal = NULL,
            provider_fee = its_fee,
            version = version + 1,
            updated_at = now()
        WHERE id = of_payment;
        UPDATE orders AS o
        SET
            payment_id = of_payment,
            paid = o.total,
            settled = o.settled OR o.id = ANY(bad),
            state = CASE WHEN o.id = ANY(bad) THEN 'cancelled' ELSE o.state END,
            cancel_reason = CASE WHEN o.id = ANY(bad) THEN 'out_of_stock' END,
            cancelled_by = CASE WHEN o.id = ANY(bad) THEN 'system' END,
            units_cancelled = CASE WHEN o.id = ANY(bad) THEN o.units ELSE o.units_cancelled END,
            cancelled_total = CASE WHEN o.id = ANY(bad) THEN o.total ELSE o.cancelled_total END,
            refund_total = CASE WHEN o.id = ANY(bad) THEN o.total ELSE 0 END,
            subsidy_returned = CASE WHEN o.id = ANY(bad) THEN o.subsidy_total ELSE 0 END,
            version = o.version + 1,
            updated_at = now()
        WHERE o.id = ANY(live);
        UPDATE order_lines AS l SET cancelled = l.quantity WHERE l.order_id = ANY(bad);
        PERFORM settle_orders(good);
        IF NOT EXISTS (SELECT FROM orders AS o WHERE o.checkout_id = ck AND o.state <> 'cancelled') THEN
            PERFORM give_vouchers_back(ck);
            -- before the books: store_balances is the last lock
        END IF;
        SELECT
            array_agg(v.kind) AS kinds,
            array_agg(v.store) AS stores,
            array_agg(v.amount) AS amounts,
            array_agg(v.provider) AS providers,
            array_agg(v.on_order) AS orders
        INTO legs
        FROM (
            SELECT
                account AS kind,
                account_store AS store,
                got AS amount,
                account_provider AS provider,
                NULL::bigint AS on_order
            UNION ALL
            SELECT 'refund_due', NULL, -surplus, NULL, NULL
            UNION ALL
            SELECT CASE WHEN o.id = ANY(bad) THEN 'refund_due' ELSE 'escrow' END, NULL, -o.total, NULL, o.id
            FROM orders AS o
            WHERE o.id = ANY(live)
        ) AS v;
        PERFORM post_entry(
            'payment', 'payment ' || of_payment, NULL, legs.kinds, legs.stores, legs.amounts, legs.providers,
            legs.orders
        );
        PERFORM post_subsidy(good);
        INSERT INTO refunds (buyer_id, store_id, order_id, payment_id, amount, currency, reason, way, state)
        SELECT
            o.buyer_id,
            o.store_id,
            o.id,
            of_payment,
            o.total,
            o.currency,
            'out_of_stock',
            way,
            CASE way WHEN 'bank' THEN 'needs_bank' ELSE 'due' END
        FROM orders AS o
        WHERE o.id = ANY(bad) AND o.total > 0
        UNION ALL
        SELECT
            p.buyer_id,
            p.store_id,
            NULL,
            of_payment,
            surplus,
            p.currency,
            'surplus',
            way,
            CASE way WHEN 'bank' THEN 'needs_bank' ELSE 'due' END
        WHERE surplus > 0;
        -- another session of the same thing: the job closes it there
        UPDATE payments
        SET state = 'cancelled', poll_at = NULL, version = version + 1, updated_at = now()
        WHERE checkout_id = ck
            AND id <> of_payment
            AND order_id IS NOT DISTINCT FROM p.order_id
            AND state IN ('opening', 'open', 'checking');
        UPDATE checkouts AS c
        SET
            state = x.state,
            version = c.version + 1,
            updated_at = now(),
            settled_at = CASE x.state WHEN 'settled' THEN now() END,
            cancelled_at = CASE x.state WHEN 'cancelled' THEN now() END
        FROM (
            SELECT
                CASE
                    WHEN bool_or(o.state <> 'cancelled' AND NOT o.settled) THEN 'unpaid'
                    WHEN bool_or(o.state <> 'cancelled') THEN 'settled'
                    ELSE 'cancelled'
                END AS state
            FROM orders AS o
            WHERE o.checkout_id = ck
        ) AS x
        WHERE c.id = ck;
        outcome := CASE WHEN good = '{}' THEN 'out_of_stock' WHEN bad = '{}' THEN 'paid' ELSE 'paid_in_part' END;
    END IF;
    IF its_fee > 0 THEN
        PERFORM post_entry(
            'provider_fee', 'payment ' || of_payment, NULL, ARRAY['expense_fee', 'provider'], NULL,
            ARRAY[its_fee, -its_fee], ARRAY[NULL, p.method]
        );
    END IF;
    RETURN outcome;
END
$$;
COMMENT ON FUNCTION apply_payment IS
'What a provider or a person says of a payment becomes true: paid, paid_in_part, out_of_stock, late, twice, repeated, '
'waiting, amount_mismatch, currency_mismatch, or its new state.';

CREATE FUNCTION settle_problem(of_payment bigint, how text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    p payments;
    way text;
BEGIN
    PERFORM
    FROM checkouts AS c
    JOIN payments AS x ON x.checkout_id = c.id
    WHERE x.id = of_payment
    FOR NO KEY UPDATE OF c;
    SELECT * INTO p FROM payments AS x WHERE x.id = of_payment FOR NO KEY UPDATE;
    IF p.id IS NULL OR NOT (is_system() OR coalesce(my_role() = 'admin' OR p.store_id = my_store_id(), false)) THEN
        RETURN NULL;
    END IF;
    IF coalesce(how NOT IN ('send_back', 'noted'), true) THEN
        RAISE EXCEPTION 'no such way' USING ERRCODE = '23514', CONSTRAINT = 'payments_settle', TABLE = 'payments';
    END IF;
    -- a wrong amount that was only noted can still be sent back
    IF coalesce(p.problem, p.reversed) IS NULL
        OR (p.settled_by IS NOT NULL AND (how = 'noted' OR p.problem IS DISTINCT FROM 'amount_mismatch'))
        OR (how = 'send_back' AND p.refund_total > 0) THEN
        RETURN 'repeated';
    END IF;
    IF how = 'send_back' AND p.problem = 'amount_mismatch' THEN
        way := refund_way(p.method, p.channel);
        INSERT INTO refunds (buyer_id, store_id, payment_id, amount, currency, reason, way, state)
        VALUES
            (
                p.buyer_id, p.store_id, p.id, p.received, p.currency, 'mismatch', way,
                CASE way WHEN 'bank' THEN 'needs_bank' ELSE 'due' END
            );
        PERFORM post_entry(
            'send_back', 'payment ' || p.id, NULL, ARRAY['unallocated', 'refund_due'], NULL,
            ARRAY[p.received, -p.received]
        );
    END IF;
    UPDATE payments
    SET
        settled_by = coalesce(me(), 0),
        refund_total = CASE
            WHEN how = 'send_back' AND p.problem = 'amount_mismatch' THEN received
            ELSE refund_total
        END,
        version = version + 1,
        updated_at = now()
    WHERE id = of_payment;
    RETURN 'settled';
END
$$;
COMMENT ON FUNCTION settle_problem IS
'Closes the problem of a payment: send_back what came, or noted; settled or repeated, NULL: not the caller''s.';

CREATE FUNCTION confirm_transfer(of_payment bigint, got numeric, give_back boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    p payments;
    outcome text;
BEGIN
    SELECT * INTO p FROM payments AS x WHERE x.id = of_payment AND x.method IN ('transfer', 'store_transfer');
    IF NOT FOUND OR NOT coalesce(my_role() = 'admin' OR p.store_id = my_store_id(), false) THEN
        RETURN NULL;
    END IF;
    -- 404
    IF got IS NULL OR (got < p.amount AND give_back IS NOT TRUE) THEN
        RAISE EXCEPTION 'payment % is of %', of_payment, p.amount
        USING ERRCODE = '23514', CONSTRAINT = 'payments_received_enough', TABLE = 'payments';
    END IF;
    outcome := apply_payment(of_payment, 'paid', got, p.currency);
    IF outcome = 'amount_mismatch' THEN
        PERFORM settle_problem(of_payment, 'send_back');
    END IF;
    RETURN outcome;
END
$$;
COMMENT ON FUNCTION confirm_transfer IS
'A transfer has arrived, says who has the account: what became of it; NULL: not theirs.';

CREATE FUNCTION refuse_transfer(of_payment bigint, why text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    k checkouts;
    p payments;
BEGIN
    SELECT c.*
    INTO k
    FROM checkouts AS c
    JOIN payments AS x ON x.checkout_id = c.id
    WHERE x.id = of_payment AND (my_role() = 'admin' OR x.store_id = my_store_id())
    FOR NO KEY UPDATE OF c;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    UPDATE payments AS x
    SET
        state = CASE k.state WHEN 'cancelled' THEN 'expired' ELSE 'open' END,
        refusal = why,
        expires_at = CASE k.state
            WHEN 'cancelled' THEN x.expires_at
            ELSE greatest(x.expires_at, now() + interval '2 hours')
        END,
        version = x.version + 1,
        updated_at = now()
    WHERE x.id = of_payment AND x.state = 'checking'
    RETURNING x.*
    INTO p;
    IF FOUND AND k.state = 'unpaid' THEN
        -- once for each proof: what is only open gets no more time
        UPDATE checkouts AS c
        SET pay_by = greatest(c.pay_by, now() + interval '2 hours'), version = c.version + 1, updated_at = now()
        WHERE c.id = k.id
        RETURNING c.*
        INTO k;
        UPDATE holds AS h
        SET expires_at = k.pay_by
        FROM orders AS o
        WHERE o.checkout_id = k.id
            AND (p.order_id IS NULL OR o.id = p.order_id)
            AND h.order_id = o.id
            AND h.expires_at > now();
    END IF;
    RETURN coalesce(p.state, (SELECT x.state FROM payments AS x WHERE x.id = of_payment));
END
$$;
COMMENT ON FUNCTION refuse_transfer IS
'A transfer has not arrived: its payment is open again, with two hours at least; its state, NULL: not theirs.';

CREATE FUNCTION send_proof(of_payment bigint, doc jsonb) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    k checkouts;
    p payments;
BEGIN
    SELECT c.*
    INTO k
    FROM checkouts AS c
    JOIN payments AS x ON x.checkout_id = c.id
    WHERE x.id = of_payment AND x.buyer_id = me()
    FOR NO KEY UPDATE OF c;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT * INTO p FROM payments AS x WHERE x.id = of_payment FOR NO KEY UPDATE;
    IF p.state = 'paid' THEN
        RETURN p.state;
    END IF;
    IF p.method NOT IN ('transfer', 'store_transfer')
        OR NOT (
            p.state IN ('open', 'checking')
                OR (
                    p.state IN ('expired', 'cancelled')
                        AND k.state = 'cancelled'
                        AND p.expires_at > now() - interval '7 days'
                )
        ) THEN
        RAISE EXCEPTION 'payment % is %', of_payment, p.state
        USING ERRCODE = '23514', TABLE = 'checkouts', CONSTRAINT = 'checkouts_not_payable';
    END IF;
    UPDATE uploads AS u
    SET used = true
    WHERE u.id = (doc ->> 'upload')::uuid AND u.user_id = me() AND u.purpose = 'proof';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such upload'
        USING ERRCODE = '23503', CONSTRAINT = 'payments_proof_upload', TABLE = 'payments';
    END IF;
    UPDATE payments AS x
    SET state = 'checking', proof = doc, proof_at = now(), refusal = NULL, version = x.version + 1, updated_at = now()
    WHERE x.id = of_payment;
    UPDATE holds AS h
    SET expires_at = greatest(h.expires_at, now() + interval '3 days')
    FROM orders AS o
    WHERE o.checkout_id = k.id
        AND (p.order_id IS NULL OR o.id = p.order_id)
        AND h.order_id = o.id
        AND h.expires_at > now();
    RETURN 'checking';
END
$$;
COMMENT ON FUNCTION send_proof IS 'A buyer shows that they have transferred: checking, or paid; NULL: not theirs.';

GRANT EXECUTE ON FUNCTION apply_payment TO marketplace_worker;
GRANT EXECUTE ON FUNCTION confirm_transfer, refuse_transfer, send_proof, settle_problem TO marketplace_app;
