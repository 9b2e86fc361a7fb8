-- The version of a checkout that a client names (If-Match) is compared while nobody else can change it, as that of an order
-- is (V0140). Every verb that changes a checkout locks it first.

CREATE FUNCTION lock_checkout(of_checkout bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.version
    FROM checkouts AS c
    WHERE c.id = of_checkout AND coalesce(c.buyer_id = me() OR my_role() = 'admin', false)
    FOR NO KEY UPDATE
$$;
COMMENT ON FUNCTION lock_checkout IS 'Locks a checkout and returns its version; NULL: not the caller''s.';
REVOKE ALL ON FUNCTION lock_checkout FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lock_checkout TO marketplace_app;
