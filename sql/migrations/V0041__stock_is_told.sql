-- Whatever changes stock is told: movements by triggers, the trail and the change feed by rows of stock, in_stock by
-- statement.
--
-- Why it is shaped so:
-- * A trigger believes that a verb has told of a change only where the statement runs as the owner of the tables, which
--   is so inside a SECURITY DEFINER function alone: the setting app.stock by itself proves nothing, as anybody may set
--   it.
-- * Movements take clock_timestamp() and the opening now(): with the row's lock held, that puts the opening first.
-- * in_stock is settled by statement: products are locked by id, and only then is it looked what is there. A trigger by
--   rows deadlocked with two products, and was wrong with two variants of one.

CREATE FUNCTION stock_verb() RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp
RETURN current_setting('app.stock', true) = 'verb'
    AND pg_has_role(current_user, (SELECT c.relowner FROM pg_class AS c WHERE c.oid = 'inventory'::regclass), 'USAGE');
COMMENT ON FUNCTION stock_verb IS
'Whether this statement was sent by a verb of stock. Runs with the rights of who asks, on purpose: they are the proof.';

CREATE FUNCTION open_stock() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO stock_movements (created_at, product_id, variant_id, store_id, kind, change, change_reserved)
    SELECT now(), old.product_id, old.variant_id, p.store_id, 'opening', old.quantity, old.reserved
    FROM products AS p
    WHERE p.id = old.product_id;
    new.opened_at := now();
    RETURN new;
END
$$;
COMMENT ON FUNCTION open_stock IS 'Writes what stood in a row of stock before its first change.';

CREATE FUNCTION note_movements() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    -- The store is looked up row by row: a join could keep a plan that reads all products for one row.
    INSERT INTO stock_movements (product_id, variant_id, store_id, kind, change, change_reserved, user_id)
    SELECT
        moved.product_id,
        moved.variant_id,
        (SELECT p.store_id FROM products AS p WHERE p.id = moved.product_id),
        CASE WHEN current_setting('app.stock', true) = 'import' THEN 'import' ELSE 'set' END,
        moved.change,
        moved.change_reserved,
        (SELECT me())
    FROM (
        SELECT
            balance.product_id,
            balance.variant_id,
            sum(balance.quantity)::integer AS change,
            sum(balance.reserved)::integer AS change_reserved
        FROM (
            SELECT t.product_id, t.variant_id, t.quantity, t.reserved FROM touched AS t
            UNION ALL
            SELECT u.product_id, u.variant_id, -u.quantity, -u.reserved FROM untouched AS u
        ) AS balance
        GROUP BY balance.product_id, balance.variant_id
        HAVING sum(balance.quantity) <> 0 OR sum(balance.reserved) <> 0
    ) AS moved;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_movements IS
'Writes the movements that no verb has told: of statements of the API, of imports, of a hand with psql.';

-- The trail says what people did; what orders did stands in stock_movements.
CREATE FUNCTION write_audit_stock() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    changes audit_change[];
BEGIN
    -- As in write_audit: the import itself is the entry.
    IF current_setting('app.audit', true) = 'import' AND current_setting('role') = 'marketplace_worker' THEN
        RETURN NULL;
    END IF;
    SELECT array_agg(ROW(
        stock.product_id,
        (SELECT p.store_id FROM products AS p WHERE p.id = stock.product_id),
        which.whose || jsonb_build_object('stock', stock.before),
        which.whose || jsonb_build_object('stock', stock.after)
    )::audit_change)
    INTO changes
    FROM (
        SELECT
            both_sides.product_id,
            both_sides.variant_id,
            sum(both_sides.quantity) FILTER (WHERE NOT both_sides.is_new) AS before,
            sum(both_sides.quantity) FILTER (WHERE both_sides.is_new) AS after
        FROM (
            SELECT n.product_id, n.variant_id, n.quantity, true AS is_new FROM new_rows AS n
            UNION ALL
            SELECT o.product_id, o.variant_id, o.quantity, false FROM old_rows AS o
        ) AS both_sides
        GROUP BY both_sides.product_id, both_sides.variant_id
        HAVING min(both_sides.quantity) <> max(both_sides.quantity)
    ) AS stock
    CROSS JOIN LATERAL (
        SELECT
            CASE stock.variant_id WHEN 0 THEN '{}' ELSE jsonb_build_object('variant_id', stock.variant_id) END AS whose
    ) AS which;
    PERFORM add_audit('product', 'update', changes);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION write_audit_stock IS 'Writes the trail of stock that people set: an entry a row of stock.';

-- As in V0006, by rows of stock: what is only reserved or shipped is no news for a copy of the catalogue.
CREATE OR REPLACE FUNCTION note_stock() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM note_changes(
        'product',
        ARRAY(
            SELECT DISTINCT s.product_id
            FROM (
                SELECT t.product_id, t.variant_id, t.quantity, t.on_sale FROM touched AS t
                UNION ALL
                SELECT u.product_id, u.variant_id, u.quantity, u.on_sale FROM untouched AS u
            ) AS s
            GROUP BY s.product_id, s.variant_id
            HAVING min(s.quantity) <> max(s.quantity) OR bool_or(s.on_sale) <> bool_and(s.on_sale)
        ),
        false
    );
    RETURN NULL;
END
$$;

CREATE FUNCTION settle_in_stock(ids bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM products AS p WHERE p.id = ANY(ids) ORDER BY p.id FOR NO KEY UPDATE;
    -- Two variants of one product may sell out at the same instant: only behind the lock are both seen.
    WITH present AS (
        SELECT i.product_id, bool_or(i.quantity > 0 AND i.on_sale) AS flag
        FROM inventory AS i
        WHERE i.product_id = ANY(ids)
        GROUP BY i.product_id
    ),

    flipped AS (
        UPDATE products AS p
        SET in_stock = n.flag
        FROM present AS n
        WHERE p.id = n.product_id AND p.in_stock <> n.flag
        RETURNING p.id, n.flag
    )

    UPDATE product_categories AS c
    SET in_stock = f.flag
    FROM flipped AS f
    WHERE c.product_id = f.id;
END
$$;
COMMENT ON FUNCTION settle_in_stock IS
'Makes products.in_stock and product_categories.in_stock true of these products.';

CREATE OR REPLACE FUNCTION flip_in_stock() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    ids bigint[];
BEGIN
    IF tg_op = 'INSERT' THEN  -- a simple product is made with its flag; a variant comes to what is there
        ids := ARRAY(SELECT DISTINCT t.product_id FROM touched AS t WHERE t.variant_id <> 0);
    ELSE
        ids := ARRAY(
            SELECT DISTINCT s.product_id
            FROM (
                SELECT t.product_id, t.variant_id, t.quantity > 0 AND t.on_sale AS there FROM touched AS t
                UNION ALL
                SELECT u.product_id, u.variant_id, u.quantity > 0 AND u.on_sale FROM untouched AS u
            ) AS s
            GROUP BY s.product_id, s.variant_id
            HAVING count(*) = 1 OR bool_or(s.there) <> bool_and(s.there)
        );
    END IF;
    IF cardinality(ids) > 0 THEN
        PERFORM settle_in_stock(ids);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION flip_in_stock IS
'Keeps products.in_stock and product_categories.in_stock where stock crosses zero.';

REVOKE ALL ON FUNCTION stock_verb, open_stock, note_movements, write_audit_stock, settle_in_stock FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stock_verb TO marketplace_app;

-- The strongest lock first: CREATE TRIGGER takes less than DROP TRIGGER, and who reads and then writes would stand
-- between the two. In a block, so that `psql -f` takes it too.
DO $$
BEGIN
    LOCK TABLE inventory IN ACCESS EXCLUSIVE MODE;
END
$$;
DROP TRIGGER flip_in_stock ON inventory;
DROP TRIGGER write_audit_update ON inventory;
CREATE TRIGGER open_stock BEFORE UPDATE ON inventory
FOR EACH ROW WHEN (old.opened_at IS NULL AND old.variant_id = new.variant_id) EXECUTE FUNCTION open_stock();
CREATE TRIGGER note_movements AFTER UPDATE ON inventory REFERENCING OLD TABLE AS untouched NEW TABLE AS touched
FOR EACH STATEMENT WHEN (NOT coalesce(stock_verb(), false)) EXECUTE FUNCTION note_movements();
CREATE TRIGGER write_audit_update AFTER UPDATE ON inventory REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT WHEN (NOT coalesce(stock_verb(), false)) EXECUTE FUNCTION write_audit_stock();
CREATE TRIGGER flip_in_stock_insert AFTER INSERT ON inventory REFERENCING NEW TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION flip_in_stock();
CREATE TRIGGER flip_in_stock_update AFTER UPDATE ON inventory REFERENCING OLD TABLE AS untouched NEW TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION flip_in_stock();
