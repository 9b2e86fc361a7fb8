-- Who acts on an order, and what may become of it.
--
-- * system is the worker's session with nobody signed in (and the owner of the tables at work by hand). A caller who is
--   missing at the API's door is nobody: a statement that empties app.session wins nothing by it. That is asked of the
--   role and not of a setting, which anybody may set.
-- * A state moves as order_transitions says, by whoever it names (23514 orders_transition).
-- * Amounts and pieces only add up, whoever writes them (23514 orders_monotonic).

CREATE FUNCTION is_system() RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT nullif(current_setting('app.session', true), '') IS NULL
        AND CASE current_setting('role')
            WHEN 'none' THEN pg_has_role(session_user, 'marketplace_worker', 'MEMBER')
            ELSE current_setting('role') = 'marketplace_worker'
        END
$$;
COMMENT ON FUNCTION is_system IS
'Whether this is the worker at its own work: nobody is signed in, and the session is not the API''s.';
REVOKE ALL ON FUNCTION is_system FROM PUBLIC;

CREATE FUNCTION acting_as(
    by_system boolean,
    user_id bigint,
    user_role text,
    user_store bigint,
    buyer bigint,
    store bigint
)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN by_system THEN 'system'
        WHEN user_id = buyer THEN 'buyer'
        WHEN user_store = store THEN 'seller'
        WHEN user_role = 'admin' THEN 'admin'
        ELSE 'nobody'
    END
$$;
COMMENT ON FUNCTION acting_as IS
'In one word what somebody is to something of a buyer and a store: system, buyer, seller, admin or nobody.';
REVOKE ALL ON FUNCTION acting_as FROM PUBLIC;

CREATE FUNCTION order_actor(buyer bigint, store bigint) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN (
        SELECT acting_as(is_system(), c.user_id, c.role, c.store_id, buyer, store)
        FROM auth.caller() AS c
    );
END
$$;
COMMENT ON FUNCTION order_actor IS
'Who acts on an order of this buyer and store: buyer, seller, admin, system (the worker) or nobody.';
REVOKE ALL ON FUNCTION order_actor FROM PUBLIC;

CREATE FUNCTION check_order_transition() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    acting text := order_actor(old.buyer_id, old.store_id);
BEGIN
    IF (new.state = 'cancelled' AND new.units_shipped <> new.units_undelivered)
        OR NOT EXISTS (
            SELECT
            FROM order_transitions AS t
            WHERE t.from_state = old.state AND t.to_state = new.state AND t.actor = acting
        )
    THEN
        RAISE EXCEPTION 'order % cannot go from % to % by %', old.id, old.state, new.state, acting
        USING ERRCODE = '23514', CONSTRAINT = 'orders_transition', TABLE = 'orders';
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION check_order_transition IS
'Refuses a move that order_transitions does not list for who acts, or to cancelled with pieces that are on their way.';
REVOKE ALL ON FUNCTION check_order_transition FROM PUBLIC;
CREATE TRIGGER check_transition BEFORE UPDATE ON orders
FOR EACH ROW WHEN (old.state <> new.state) EXECUTE FUNCTION check_order_transition();

CREATE FUNCTION refuse_decrease() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'money and pieces of an order only add up'
    USING ERRCODE = '23514', CONSTRAINT = 'orders_monotonic', TABLE = 'orders';
END
$$;
COMMENT ON FUNCTION refuse_decrease IS 'Refuses an order with less of anything than it had.';
REVOKE ALL ON FUNCTION refuse_decrease FROM PUBLIC;
CREATE TRIGGER refuse_decrease BEFORE UPDATE ON orders
FOR EACH ROW WHEN (
    new.paid < old.paid
    OR new.refund_total < old.refund_total
    OR new.refunded < old.refunded
    OR new.cancelled_total < old.cancelled_total
    OR new.subsidy_returned < old.subsidy_returned
    OR new.settled < old.settled
    OR new.units_cancelled < old.units_cancelled
    OR new.units_shipped < old.units_shipped
    OR new.units_delivered < old.units_delivered
    OR new.units_undelivered < old.units_undelivered
    OR new.units_returned < old.units_returned
    OR (old.payment_id IS NOT NULL AND new.payment_id IS DISTINCT FROM old.payment_id)
) EXECUTE FUNCTION refuse_decrease();
