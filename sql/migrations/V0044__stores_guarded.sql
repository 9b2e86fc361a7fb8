-- What an admin says of a store, its owner cannot take back; a store goes with its owner; and what the worker keeps.

CREATE TRIGGER guard_said BEFORE UPDATE ON stores FOR EACH ROW
WHEN (old.state <> new.state OR old.state_reason IS DISTINCT FROM new.state_reason) EXECUTE FUNCTION guard_said();
CREATE TRIGGER guard_said_insert BEFORE INSERT ON store_settings FOR EACH ROW
WHEN (new.cod_collector <> 'store') EXECUTE FUNCTION guard_said();
CREATE TRIGGER guard_said BEFORE UPDATE ON store_settings FOR EACH ROW
WHEN (old.cod_collector <> new.cod_collector) EXECUTE FUNCTION guard_said();

-- As in V0001, and the store goes with its owner: who is locked out does not sell. What an admin said of the store
-- stays.
CREATE OR REPLACE FUNCTION auth.manage_user(which bigint, new_role text, suspend boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF public.my_role() IS DISTINCT FROM 'admin' OR new_role = 'admin' THEN
        RAISE EXCEPTION 'only an admin manages users, and admins are made on the command line'
        USING ERRCODE = '42501';
    END IF;
    UPDATE public.users
    SET role = coalesce(new_role, role),
        suspended_at = CASE
            WHEN suspend IS NULL THEN suspended_at
            WHEN suspend THEN coalesce(suspended_at, now())
        END,
        version = version + 1,
        updated_at = now()
    WHERE id = which;
    IF suspend THEN
        UPDATE auth.sessions SET ended_at = now() WHERE user_id = which AND ended_at IS NULL;
    END IF;
    UPDATE public.stores AS s
    SET state = CASE WHEN suspend THEN 'suspended' ELSE 'active' END,
        state_reason = CASE WHEN suspend THEN 'owner' END,
        version = s.version + 1,
        updated_at = now()
    WHERE s.owner_id = which
        AND (
            (suspend AND s.state = 'active')
            OR (NOT suspend AND s.state = 'suspended' AND s.state_reason = 'owner')
        );
END
$$;

-- By the worker: each minute for each store that is not active (what it adds meanwhile is hidden too), and after one
-- was let go; some at a time, until none is answered. The documents of these are made anew in the same transaction.
CREATE FUNCTION settle_store(which bigint, most integer) RETURNS bigint[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    ids bigint[];
    stopped boolean;
BEGIN
    SELECT s.state <> 'active' INTO stopped FROM stores AS s WHERE s.id = which FOR SHARE;
    WITH found AS (
        SELECT p.id
        FROM products AS p
        WHERE p.store_id = which
            AND (p.blocked = 'store' OR stopped)
            AND (p.blocked IS NULL) = stopped
        ORDER BY p.id
        LIMIT most
        FOR NO KEY UPDATE
    ),

    changed AS (
        UPDATE products AS p
        SET blocked = CASE WHEN stopped THEN 'store' END,
            hidden = CASE WHEN stopped THEN true ELSE p.hidden_before END,
            hidden_before = CASE WHEN stopped THEN p.hidden END,
            version = p.version + 1,
            updated_at = now()
        FROM found AS f
        WHERE p.id = f.id
        RETURNING p.id
    )

    SELECT coalesce(array_agg(c.id ORDER BY c.id), '{}') INTO ids FROM changed AS c;
    RETURN ids;
END
$$;
COMMENT ON FUNCTION settle_store IS
'Hides products of a store that is stopped, or shows again what its stopping has hidden; which ones it changed.';

CREATE FUNCTION refresh_low_stock(most integer) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH present AS MATERIALIZED (
        SELECT p.store_id, i.product_id, i.variant_id, i.quantity
        FROM inventory AS i
        JOIN products AS p ON p.id = i.product_id
        WHERE i.quantity <= most AND i.on_sale AND NOT p.hidden
    ),

    gone AS (
        DELETE FROM low_stock AS l
        WHERE NOT EXISTS (
            SELECT
            FROM present AS n
            WHERE n.store_id = l.store_id AND n.product_id = l.product_id AND n.variant_id = l.variant_id
        )
    )

    INSERT INTO low_stock (store_id, product_id, variant_id, quantity)
    SELECT n.store_id, n.product_id, n.variant_id, n.quantity
    FROM present AS n
    LEFT JOIN low_stock AS l
        ON l.store_id = n.store_id AND l.product_id = n.product_id AND l.variant_id = n.variant_id
    -- Only what is another: ON CONFLICT would lock, and so write, each row that stays.
    WHERE l.quantity IS DISTINCT FROM n.quantity
    ON CONFLICT (store_id, product_id, variant_id) DO UPDATE SET quantity = excluded.quantity;
    INSERT INTO refreshes (name) VALUES ('low_stock')
    ON CONFLICT (name) DO UPDATE SET refreshed_at = excluded.refreshed_at
$$;
COMMENT ON FUNCTION refresh_low_stock IS 'Lists anew what is on sale and has at most so many pieces.';

-- Before a month of movements is dropped: the sum is proven from the last opening, so it must not lie in there. A
-- clock's time, behind the lock of the row, puts the new opening after all that was told before.
CREATE FUNCTION reopen_stock(days integer, most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    reopened integer;
BEGIN
    WITH due AS MATERIALIZED (
        SELECT i.product_id, i.variant_id, i.quantity, i.reserved
        FROM inventory AS i
        WHERE i.opened_at < now() - make_interval(days => days)
        ORDER BY i.product_id, i.variant_id
        LIMIT most
        FOR NO KEY UPDATE
    ),

    told AS (
        INSERT INTO stock_movements (product_id, variant_id, store_id, kind, change, change_reserved)
        SELECT
            d.product_id,
            d.variant_id,
            (SELECT p.store_id FROM products AS p WHERE p.id = d.product_id),
            'opening',
            d.quantity,
            d.reserved
        FROM due AS d
        RETURNING created_at, product_id, variant_id
    )

    UPDATE inventory AS i
    SET opened_at = t.created_at
    FROM told AS t
    WHERE i.product_id = t.product_id AND i.variant_id = t.variant_id;
    GET DIAGNOSTICS reopened = ROW_COUNT;
    RETURN reopened;
END
$$;
COMMENT ON FUNCTION reopen_stock IS
'Writes new openings of rows of stock whose last one is so many days old, at most so many; how many.';

REVOKE ALL ON FUNCTION settle_store, refresh_low_stock, reopen_stock FROM PUBLIC;
GRANT EXECUTE ON FUNCTION settle_store, refresh_low_stock, reopen_stock TO marketplace_worker;
