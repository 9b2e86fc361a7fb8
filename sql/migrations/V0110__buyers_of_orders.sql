-- What a store sees of the buyer beside an order in a list: a letter. Names of users are private; this function says
-- no more of them, and only to the store that the order is for, and to admins.

CREATE FUNCTION order_buyers(order_ids bigint[]) RETURNS TABLE (order_id bigint, name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.id, left(u.name, 1) || '***'
    FROM orders AS o
    JOIN users AS u ON u.id = o.buyer_id
    WHERE o.id = ANY(order_ids)
        AND coalesce(o.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin', false)
$$;
COMMENT ON FUNCTION order_buyers IS
'The first letter of the buyers of these orders, for their store and admins; no row for everybody else.';
REVOKE ALL ON FUNCTION order_buyers FROM PUBLIC;
GRANT EXECUTE ON FUNCTION order_buyers TO marketplace_app;
