-- A store's QR code beside its account: a private image that the store names, and that whoever has to pay there may see.

CREATE FUNCTION keep_code(of_upload uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    -- The one before goes within a day, as everything that nothing names.
    UPDATE uploads AS u
    SET used = false
    WHERE u.user_id = me() AND u.purpose = 'qris' AND u.used AND u.id IS DISTINCT FROM of_upload;
    IF of_upload IS NULL THEN
        RETURN true;
    END IF;
    UPDATE uploads AS u
    SET used = true
    WHERE u.id = of_upload AND u.user_id = me() AND u.purpose = 'qris';
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION keep_code IS
'Keeps the image of the caller''s QR code, and lets the others of theirs go; false: it is none of theirs.';

CREATE FUNCTION code_of_payment(of_payment bigint) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN (
        SELECT u.id
        FROM payments AS p
        JOIN store_settings AS s ON s.store_id = p.store_id
        JOIN stores AS t ON t.id = p.store_id
        JOIN uploads AS u ON u.id = (s.pay_account ->> 'qris_upload')::uuid AND u.user_id = t.owner_id
        WHERE p.id = of_payment
            AND p.method = 'store_transfer'
            AND p.state IN ('open', 'checking')
            AND coalesce(p.buyer_id = me() OR p.store_id = my_store_id() OR my_role() = 'admin', false)
    );
END
$$;
COMMENT ON FUNCTION code_of_payment IS
'The image of the QR code that a payment to a store goes to, for its buyer, the store and admins; NULL for everybody else.';
REVOKE ALL ON FUNCTION keep_code, code_of_payment FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keep_code, code_of_payment TO marketplace_app;
