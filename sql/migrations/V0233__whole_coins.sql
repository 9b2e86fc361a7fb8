-- Nobody pays with a part of the smallest coin: what people say of money is refused where it has one, as refunds are. A
-- part that is booked stays: no refund and no other entry takes it out again.

-- The books know no currency: checkouts are all of one, and before the first whoever calls knows it alone.
CREATE FUNCTION in_coins(amount numeric) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT amount = round_money(amount, coalesce((SELECT c.currency FROM checkouts AS c ORDER BY c.id DESC LIMIT 1), ''))
$$;
COMMENT ON FUNCTION in_coins IS
'Whether an amount has no part of the smallest coin of the currency that checkouts are in. Granted to nobody.';
REVOKE ALL ON FUNCTION in_coins FROM PUBLIC;

-- As it was in V0114, but for the last check.
CREATE OR REPLACE FUNCTION post_by_hand(
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
    IF NOT coalesce(in_coins(much), false) THEN
        RAISE EXCEPTION 'no such coin'
        USING ERRCODE = '23514', CONSTRAINT = 'ledger_entries_coin', TABLE = 'ledger_entries';
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

-- As it was in V0160, but for the last check.
CREATE OR REPLACE FUNCTION post_settlement(of_provider text, of_day date, much numeric) RETURNS bigint
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
    IF NOT coalesce(in_coins(much), false) THEN
        RAISE EXCEPTION 'no such coin'
        USING ERRCODE = '23514', CONSTRAINT = 'ledger_entries_coin', TABLE = 'ledger_entries';
    END IF;
    RETURN post_entry(
        'settlement', of_provider || ' ' || of_day, NULL, ARRAY['bank', 'provider'], NULL, ARRAY[much, -much],
        ARRAY[NULL, of_provider]
    );
END
$$;

-- As it was in V0101, but for the second check.
CREATE OR REPLACE FUNCTION confirm_transfer(of_payment bigint, got numeric, give_back boolean DEFAULT false) RETURNS text
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
    IF NOT coalesce(got > 0 AND got = round_money(got, p.currency), false) THEN
        RAISE EXCEPTION 'no such coin'
        USING ERRCODE = '23514', CONSTRAINT = 'payments_received_coin', TABLE = 'payments';
    END IF;
    outcome := apply_payment(of_payment, 'paid', got, p.currency);
    IF outcome = 'amount_mismatch' THEN
        PERFORM settle_problem(of_payment, 'send_back');
    END IF;
    RETURN outcome;
END
$$;
