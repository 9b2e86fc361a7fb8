-- A version that a client names (If-Match) is compared while nobody else can change the thing: else two changes that
-- both read the same version pass, one after the other. Rows are locked in the order of the verbs, so that the verb that
-- follows waits for nothing it does not hold. A stranger locks nothing.

CREATE FUNCTION lock_order(of_order bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    o record;
    its_version bigint;
BEGIN
    SELECT x.buyer_id, x.store_id, x.checkout_id INTO o FROM orders AS x WHERE x.id = of_order;
    IF NOT FOUND OR order_actor(o.buyer_id, o.store_id) = 'nobody' THEN
        RETURN NULL;
    END IF;
    PERFORM FROM checkouts AS c WHERE c.id = o.checkout_id FOR NO KEY UPDATE;
    PERFORM FROM payments AS p WHERE p.checkout_id = o.checkout_id ORDER BY p.id FOR NO KEY UPDATE;
    SELECT x.version INTO its_version FROM orders AS x WHERE x.id = of_order FOR NO KEY UPDATE;
    RETURN its_version;
END
$$;
COMMENT ON FUNCTION lock_order IS
'Locks an order, behind its checkout and payments, and returns its version; NULL: not the caller''s.';

CREATE FUNCTION lock_refund(of_refund bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    r record;
    its_version bigint;
BEGIN
    SELECT x.buyer_id, x.store_id, x.order_id, x.payment_id INTO r FROM refunds AS x WHERE x.id = of_refund;
    IF NOT FOUND OR NOT coalesce(r.buyer_id = me() OR r.store_id = my_store_id() OR my_role() = 'admin', false) THEN
        RETURN NULL;
    END IF;
    PERFORM
    FROM checkouts AS c
    WHERE c.id = coalesce(
        (SELECT o.checkout_id FROM orders AS o WHERE o.id = r.order_id),
        (SELECT p.checkout_id FROM payments AS p WHERE p.id = r.payment_id)
    )
    FOR NO KEY UPDATE;
    SELECT x.version INTO its_version FROM refunds AS x WHERE x.id = of_refund FOR NO KEY UPDATE;
    RETURN its_version;
END
$$;
COMMENT ON FUNCTION lock_refund IS
'Locks a refund, behind its checkout, and returns its version; NULL: not the caller''s.';

-- An entry as an admin reads it who made it, or looks for what another one made. The books themselves stay closed.
CREATE FUNCTION ledger_entry(of_entry bigint) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT jsonb_build_object(
        'id', n.id,
        'kind', n.kind,
        'source', n.source,
        'order_id', n.order_id,
        'user_id', n.user_id,
        'note', n.note,
        'created_at', to_char(n.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        'postings', (
            SELECT jsonb_agg(
                jsonb_build_object(
                    'account', a.kind, 'store_id', a.store_id, 'provider', a.provider, 'amount', p.amount::text
                )
                ORDER BY p.line
            )
            FROM ledger_postings AS p
            JOIN ledger_accounts AS a ON a.id = p.account_id
            WHERE p.entry_id = n.id
        )
    )
    FROM ledger_entries AS n
    WHERE n.id = of_entry AND coalesce(my_role() = 'admin', false)
$$;
COMMENT ON FUNCTION ledger_entry IS 'An entry of the books with its postings, for admins; NULL: there is none, or no admin asks.';

REVOKE ALL ON FUNCTION lock_order, lock_refund, ledger_entry FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lock_order, lock_refund, ledger_entry TO marketplace_app;
