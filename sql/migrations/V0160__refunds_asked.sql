-- Refunds that people ask for, refunds that a provider sends, and money that came once more. A store or an admin gives
-- back pieces, or a sum; the worker claims what a provider is to send.

CREATE FUNCTION refund_order(
    of_order bigint,
    much numeric,
    why text,
    line_ids bigint[] DEFAULT NULL,
    pieces integer[] DEFAULT NULL,
    borne_by text DEFAULT 'store'
)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    acts text := (SELECT order_actor(o.buyer_id, o.store_id) FROM orders AS o WHERE o.id = of_order);
BEGIN
    -- a buyer asks by a return
    IF NOT coalesce(acts IN ('admin', 'system') OR (acts = 'seller' AND borne_by = 'store'), false) THEN
        RETURN NULL;
    END IF;
    -- pieces take their commission back: not by a store alone, long after
    IF acts = 'seller' AND line_ids IS NOT NULL AND EXISTS (
        SELECT FROM orders AS o WHERE o.id = of_order AND o.completed_at < now() - interval '30 days'
    ) THEN
        RAISE EXCEPTION 'order % is completed', of_order
        USING ERRCODE = '23514', CONSTRAINT = 'order_requests_too_late', TABLE = 'orders';
    END IF;
    IF line_ids IS NOT NULL AND (
        cardinality(line_ids) = 0
        OR EXISTS (
            SELECT
            FROM unnest(line_ids, pieces) AS a (id, n)
            WHERE a.id IS NULL OR coalesce(a.n < 1, true)
        )
    ) THEN
        RAISE EXCEPTION 'not so many pieces'
        USING ERRCODE = '23514', CONSTRAINT = 'refund_lines_units', TABLE = 'refund_lines';
    END IF;
    RETURN promise_refund(
        of_order, much, coalesce(why, CASE WHEN line_ids IS NULL THEN 'goodwill' ELSE 'lines' END), line_ids, pieces,
        borne_by, NULL, true
    );
END
$$;
COMMENT ON FUNCTION refund_order IS
'Promises money of an order back: for pieces of lines, or a sum; the refund. Its store, an admin or the worker; NULL: not '
'the caller''s.';

-- One that is found sending or sent is asked about before anything is sent again.
CREATE FUNCTION claim_refunds(most integer)
RETURNS TABLE (
    id bigint,
    was text,
    payment_id bigint,
    method text,
    channel text,
    reference text,
    our_reference text,
    amount numeric,
    currency text,
    tries integer
)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH due AS (
        SELECT r.id, r.state
        FROM refunds AS r
        WHERE r.way = 'provider' AND r.state IN ('due', 'sending', 'sent') AND r.try_at <= now()
        ORDER BY r.try_at
        LIMIT most
        FOR NO KEY UPDATE SKIP LOCKED
    )

    -- five minutes at least, for whoever has it; what is asked about again and again waits longer, an hour at most
    UPDATE refunds AS r
    SET
        state = CASE d.state WHEN 'due' THEN 'sending' ELSE d.state END,
        tries = r.tries + 1,
        try_at = now() + greatest(
            interval '5 minutes', least(interval '1 hour', interval '1 minute' * 2 ^ least(r.tries, 6))
        ),
        updated_at = now()
    FROM due AS d
    JOIN refunds AS x ON x.id = d.id
    JOIN payments AS p ON p.id = x.payment_id
    WHERE r.id = d.id
    RETURNING
        r.id, d.state, p.id, p.method, p.channel, p.reference, p.our_reference, r.amount, r.currency, r.tries
$$;
COMMENT ON FUNCTION claim_refunds IS
'Refunds that a provider is to send or to be asked about, for whoever has claimed them; nobody else gets them for five '
'minutes.';

CREATE FUNCTION transfer_again(of_payment bigint, got numeric, its_key text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    p payments;
    way text;
    account text;
    its_source CONSTANT text := 'payment ' || of_payment || ' ' || its_key;
BEGIN
    PERFORM
    FROM checkouts AS c
    JOIN payments AS x ON x.checkout_id = c.id
    WHERE x.id = of_payment
    FOR NO KEY UPDATE OF c;
    SELECT *
    INTO p
    FROM payments AS x
    WHERE x.id = of_payment AND x.method IN ('transfer', 'store_transfer')
    FOR NO KEY UPDATE;
    IF p.id IS NULL OR NOT coalesce(my_role() = 'admin' OR p.store_id = my_store_id(), false) THEN
        RETURN NULL;
    END IF;
    IF EXISTS (SELECT FROM ledger_entries AS e WHERE e.kind = 'payment_again' AND e.source = its_source) THEN
        RETURN 'repeated';
    ELSIF NOT coalesce(p.state = 'paid' AND p.problem IS DISTINCT FROM 'amount_mismatch' AND its_key <> '', false) THEN
        RAISE EXCEPTION 'payment % is %', of_payment, p.state
        USING ERRCODE = '23514', CONSTRAINT = 'checkouts_not_payable', TABLE = 'checkouts';
    ELSIF NOT coalesce(got > 0 AND got = round_money(got, p.currency), false) THEN
        RAISE EXCEPTION 'no such coin'
        USING ERRCODE = '23514', CONSTRAINT = 'payments_received_coin', TABLE = 'payments';
    END IF;
    way := refund_way(p.method, p.channel);
    account := payment_account(p.method);
    UPDATE payments
    SET
        received = received + got,
        refund_total = refund_total + got,
        version = version + 1,
        updated_at = now()
    WHERE id = of_payment;
    INSERT INTO refunds (buyer_id, store_id, payment_id, amount, currency, reason, way, state)
    VALUES
        (
            p.buyer_id, p.store_id, p.id, got, p.currency, 'twice', way,
            CASE way WHEN 'bank' THEN 'needs_bank' ELSE 'due' END
        );
    PERFORM post_entry(
        'payment_again', its_source, NULL, ARRAY[account, 'refund_due'],
        ARRAY[CASE account WHEN 'payable' THEN p.store_id END, NULL], ARRAY[got, -got]
    );
    RETURN 'twice';
END
$$;
COMMENT ON FUNCTION transfer_again IS
'Money came once more for a transfer that is paid, says who has the account: all of it goes home, once a key: twice, '
'repeated; NULL: not theirs.';

CREATE FUNCTION post_settlement(of_provider text, of_day date, much numeric) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT (is_system() OR coalesce(my_role() = 'admin', false)) THEN
        RETURN NULL;
    END IF;
    IF NOT coalesce(
        much > 0 AND much < 'NaN' AND of_day <= current_date AND payment_account(of_provider) = 'provider', false
    ) THEN
        RAISE EXCEPTION 'no such entry'
        USING ERRCODE = '23514', CONSTRAINT = 'ledger_entries_by_hand', TABLE = 'ledger_entries';
    END IF;
    RETURN post_entry(
        'settlement', of_provider || ' ' || of_day, NULL, ARRAY['bank', 'provider'], NULL, ARRAY[much, -much],
        ARRAY[NULL, of_provider]
    );
END
$$;
COMMENT ON FUNCTION post_settlement IS
'What a provider has paid out to the platform''s bank, once a day of it: the entry; NULL: neither the worker nor an '
'admin.';

-- As it was in V0114, and a provider may say that a refund is done which is only due to us: it was silent when it was told.
CREATE OR REPLACE FUNCTION refund_step(
    of_refund bigint,
    to_state text,
    its_reference text DEFAULT NULL,
    doc jsonb DEFAULT NULL,
    why text DEFAULT NULL
)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    r refunds;
    p payments;
    acts text;
    account text;
BEGIN
    SELECT * INTO r FROM refunds AS x WHERE x.id = of_refund;
    acts := CASE
        WHEN is_system() THEN 'system'
        WHEN my_role() = 'admin' THEN 'admin'
        WHEN r.buyer_id = me() THEN 'buyer'
        WHEN r.store_id = my_store_id() THEN 'seller'
    END;
    IF r.id IS NULL OR acts IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM
    FROM checkouts AS c
    WHERE c.id = coalesce(
        (SELECT o.checkout_id FROM orders AS o WHERE o.id = r.order_id),
        (SELECT x.checkout_id FROM payments AS x WHERE x.id = r.payment_id)
    )
    FOR NO KEY UPDATE;
    SELECT * INTO r FROM refunds AS x WHERE x.id = of_refund FOR NO KEY UPDATE;
    IF r.state = to_state AND to_state <> 'due' THEN
        RETURN 'repeated';
    END IF;
    -- An admin who has looked at the provider may end what the provider never answers.
    IF ((acts, r.way, r.state, to_state) IN (
        ('admin', 'provider', 'due', 'needs_bank'),
        ('admin', 'provider', 'sending', 'needs_bank'),
        ('admin', 'provider', 'sent', 'needs_bank'),
        ('admin', 'provider', 'due', 'done'),
        ('admin', 'provider', 'sending', 'done'),
        ('admin', 'provider', 'sent', 'done'),
        -- what a provider says is done is done, also where we have given it up for this minute
        ('system', 'provider', 'due', 'done'),
        ('system', 'provider', 'sending', 'due'),
        ('system', 'provider', 'sending', 'sent'),
        ('system', 'provider', 'sending', 'done'),
        ('system', 'provider', 'sending', 'needs_bank'),
        ('system', 'provider', 'sent', 'done'),
        ('system', 'provider', 'sent', 'needs_bank'),
        ('buyer', 'bank', 'needs_bank', 'due'),
        ('buyer', 'bank', 'due', 'due'),
        ('admin', 'bank', 'needs_bank', 'due'),
        ('admin', 'bank', 'due', 'due'),
        ('admin', 'bank', 'due', 'done'),
        ('admin', 'bank', 'due', 'needs_bank'),
        ('admin', 'bank', 'needs_bank', 'given_up'),
        ('seller', 'store', 'due', 'done'),
        ('admin', 'store', 'due', 'done'),
        ('admin', 'store', 'due', 'needs_bank')
    )) IS NOT TRUE THEN
        RAISE EXCEPTION 'refund % is %', of_refund, r.state
        USING ERRCODE = '23514', CONSTRAINT = 'refunds_step', TABLE = 'refunds';
    END IF;
    IF r.way = 'bank' AND to_state IN ('due', 'done') AND coalesce(doc ->> 'number', r.bank ->> 'number') IS NULL THEN
        RAISE EXCEPTION 'an account is wanted'
        USING ERRCODE = '23514', CONSTRAINT = 'refunds_bank_check', TABLE = 'refunds';
    END IF;
    SELECT * INTO p FROM payments AS x WHERE x.id = r.payment_id;
    UPDATE refunds AS x
    SET
        state = to_state,
        way = CASE WHEN to_state = 'needs_bank' THEN 'bank' ELSE x.way END,
        reference = coalesce(its_reference, x.reference),
        bank = CASE
            WHEN to_state = 'due' AND doc IS NOT NULL THEN doc
            WHEN to_state IN ('done', 'given_up') AND x.bank IS NOT NULL
                THEN jsonb_build_object('bank', x.bank ->> 'bank', 'number', '***' || right(x.bank ->> 'number', 4))
            ELSE x.bank
        END,
        error = why,
        try_at = CASE
            WHEN to_state = 'due' THEN now() + least(interval '1 hour', interval '1 minute' * 2 ^ least(x.tries, 6))
            ELSE x.try_at
        END,
        done_by = CASE WHEN to_state IN ('done', 'given_up') THEN me() END,
        version = x.version + 1,
        updated_at = now()
    WHERE x.id = of_refund;
    IF to_state = 'done' THEN
        account := CASE r.way WHEN 'provider' THEN 'provider' WHEN 'store' THEN 'payable' ELSE 'bank' END;
        UPDATE orders AS o
        SET refunded = o.refunded + r.amount, version = o.version + 1, updated_at = now()
        WHERE o.id = r.order_id;
        PERFORM post_entry(
            'refund_sent', 'refund ' || of_refund, r.order_id,
            ARRAY['refund_due', account],
            ARRAY[NULL, CASE account WHEN 'payable' THEN r.store_id END],
            ARRAY[r.amount, -r.amount],
            ARRAY[NULL, CASE account WHEN 'provider' THEN p.method END]
        );
    ELSIF to_state = 'given_up' THEN
        PERFORM post_entry(
            'refund_given_up', 'refund ' || of_refund, r.order_id, ARRAY['refund_due', 'unallocated'], NULL,
            ARRAY[r.amount, -r.amount], why => why
        );
    END IF;
    RETURN to_state;
END
$$;

REVOKE ALL ON FUNCTION refund_order, claim_refunds, transfer_again, post_settlement FROM PUBLIC;
GRANT EXECUTE ON FUNCTION refund_order, post_settlement TO marketplace_app, marketplace_worker;
GRANT EXECUTE ON FUNCTION claim_refunds TO marketplace_worker;
GRANT EXECUTE ON FUNCTION transfer_again TO marketplace_app;
