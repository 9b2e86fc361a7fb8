-- Money that people move: refunds that a bank or a store pays, and entries in the books that an admin makes.

CREATE FUNCTION refund_step(
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
COMMENT ON FUNCTION refund_step IS
'Moves a refund on, as its way and who acts allow: the new state, repeated; NULL: not the caller''s.';

CREATE FUNCTION post_by_hand(
    what text,
    its_key text,
    debit text,
    credit text,
    of_store bigint,
    much numeric,
    why text
)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF my_role() IS DISTINCT FROM 'admin' THEN
        RETURN NULL;
    END IF;
    IF NOT coalesce(
        much > 0
        AND much < 'NaN'
        AND its_key <> ''
        AND debit <> credit
        AND ('payable' IN (debit, credit)) = (of_store IS NOT NULL)
        AND CASE what
            WHEN 'top_up' THEN debit = 'bank' AND credit = 'payable'
            WHEN 'cod_handed_in' THEN debit = 'bank' AND credit = 'cod_receivable'
            WHEN 'adjustment'
                THEN why <> ''
                    AND ARRAY[debit, credit] <@ ARRAY['payable', 'expense_fee', 'cod_receivable', 'bank']
            ELSE false
        END
        AND (of_store IS NULL OR EXISTS (SELECT FROM stores AS s WHERE s.id = of_store)),
        false
    ) THEN
        RAISE EXCEPTION 'no such entry'
        USING ERRCODE = '23514', CONSTRAINT = 'ledger_entries_by_hand', TABLE = 'ledger_entries';
    END IF;
    RETURN post_entry(
        what, 'admin ' || me() || ' ' || its_key, NULL,
        ARRAY[debit, credit],
        ARRAY[CASE debit WHEN 'payable' THEN of_store END, CASE credit WHEN 'payable' THEN of_store END],
        ARRAY[much, -much],
        why => why
    );
END
$$;
COMMENT ON FUNCTION post_by_hand IS
'An entry that an admin makes: top_up, cod_handed_in or adjustment, once a key; its id. NULL: not an admin.';

REVOKE ALL ON FUNCTION refund_step, post_by_hand FROM PUBLIC;
GRANT EXECUTE ON FUNCTION refund_step TO marketplace_app, marketplace_worker;
GRANT EXECUTE ON FUNCTION post_by_hand TO marketplace_app;
