-- The account that a transfer to a store goes to is its settings' secret but for those who have to pay there.

CREATE FUNCTION store_account(of_payment bigint) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN (
        SELECT s.pay_account
        FROM payments AS p
        JOIN store_settings AS s ON s.store_id = p.store_id
        WHERE p.id = of_payment
            AND p.method = 'store_transfer'
            AND coalesce(p.buyer_id = me() OR p.store_id = my_store_id() OR my_role() = 'admin', false)
    );
END
$$;
COMMENT ON FUNCTION store_account IS
'Where a payment to a store goes, for its buyer, the store and admins; NULL for everybody else.';
GRANT EXECUTE ON FUNCTION store_account TO marketplace_app;
GRANT UPDATE (pay_account) ON store_settings TO marketplace_app;
